import type { TestProject } from 'vitest/node'
import { startCluster } from './postgres.ts'

declare module 'vitest' {
	export interface ProvidedContext {
		/** Superuser's address of the shared PostgreSQL 18. */
		postgresUrl: string
	}
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
	const cluster = await startCluster(18)
	project.provide('postgresUrl', cluster.url)
	return () => cluster.stop()
}
