import type { TestProject } from 'vitest/node'
import { shareKafka } from './kafka/shared.ts'
import { startCluster } from './postgres.ts'
import { shareS3 } from './s3/shared.ts'

declare module 'vitest' {
	export interface ProvidedContext {
		/** Superuser's address of the shared PostgreSQL 18. */
		postgresUrl: string
	}
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
	await using starting = new AsyncDisposableStack()
	const kafka = await shareKafka()
	starting.defer(kafka.stop)
	const s3 = await shareS3()
	starting.defer(s3.stop)
	const cluster = await startCluster(18)
	starting.defer(cluster.stop)
	project.provide('postgresUrl', cluster.url)
	project.provide('kafkaUrl', kafka.url)
	project.provide('s3Url', s3.url)
	const started = starting.move()
	return () => started.disposeAsync()
}
