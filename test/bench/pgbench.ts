import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Runs pgbench against the database at `url` and answers what it printed. Throws where it is missing, with what it said. */
export async function pgbench(url: string, args: readonly string[]): Promise<string> {
	const { stdout } = await promisify(execFile)('pgbench', [...args, url]).catch((cause: Error) => {
		throw new Error(`pgbench, which comes with PostgreSQL's programs: ${cause.message}`, { cause })
	})
	return stdout
}
