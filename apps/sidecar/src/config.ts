import { z } from 'zod'

/** What a sidecar needs to know; parsed by {@link parseConfig}. */
export const configSchema = z.strictObject({
	/** The database whose log is followed. Direct, not through a pooler: a pooler cannot carry a replication stream. */
	databaseUrl: z.string().min(1),
	/** Milliseconds that ordinary changes wait for company before a flush. More: fewer, larger segments. */
	lingerMs: z.number().int().min(0).max(60_000).default(200),
	/** Bytes of decoded rows held in memory before they are written ahead of their commit. */
	bufferBytes: z
		.number()
		.int()
		.min(1024)
		.default(32 * 1024 * 1024),
	/** Milliseconds between acknowledgements, each of which costs a small write to the database and to the vault. */
	acknowledgeMs: z.number().int().min(0).default(1_000),
	/** A quiet database's log is released at most this often (milliseconds), and only when it is worth a write: */
	keepaliveMs: z.number().int().min(0).default(10_000),
	/** ... when so many bytes of log are held back. */
	keepaliveBytes: z
		.number()
		.int()
		.min(0)
		.default(1024 * 1024),
	/** Milliseconds between heartbeats in `reprieve.capture_state`. */
	heartbeatMs: z.number().int().min(10).default(1_000),
	/** Milliseconds after which another process may take over a lease that was not renewed. */
	leaseMs: z.number().int().min(1_000).default(10_000),
	/** Milliseconds between the first failure and the next try; doubles up to 30 times as much. */
	backoffMs: z.number().int().min(1).default(500),
	/** Milliseconds between rounds of compaction and checkpoints; 0 for none. */
	upkeepMs: z.number().int().min(0).default(30_000),
	/** Milliseconds between looks for new partition leaves, which are protected at once; 0 for none. */
	protectMs: z.number().int().min(0).default(1_000),
	/** Address of the role that owns the tables, for new leaves. Default: the database's. */
	ownerUrl: z.string().min(1).optional(),
})

export type SidecarConfig = Readonly<z.infer<typeof configSchema>>

/** Checks and completes a configuration. Throws a ZodError that names every wrong field. */
export function parseConfig(input: z.input<typeof configSchema>): SidecarConfig {
	return Object.freeze(configSchema.parse(input))
}
