/** How Kafka is reached and used; read from the environment in config.ts (api.md section 5). */
export type KafkaConfig = Readonly<{
	/** host:port */
	brokers: readonly string[]
	/** Null: no TLS; `ca` is PEM text, absent: the system's authorities. */
	tls: { ca?: string } | null
	sasl: { mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; username: string; password: string } | null
	/** Begins every topic: `<prefix>.<schema>.<table>`, `<prefix>.transactions`. One prefix belongs to one database. */
	prefix: string
	/** Consumer group of the archivers; its offsets only seek and show progress. */
	group: string
	/** Partitions of each table's topic (1). */
	partitions: number
	/** Replicas of topics that are made; absent: 3, or as many as there are brokers. */
	replication?: number
	/** Milliseconds that topics which are made keep frames: more than the worst outage of the archive (7 days). */
	retentionMs: number
	/** What releases the slot: the vault (default), or the brokers, where the cluster is replicated. */
	acknowledge: 'vault' | 'broker'
	/** HMAC key of the frames, 32 bytes. */
	frameKey: Uint8Array
}>
