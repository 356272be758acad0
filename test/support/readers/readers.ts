import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findPrograms } from '../python.ts'
import type { S3Server } from '../s3/versitygw.ts'

const run = promisify(execFile)
const here = import.meta.dirname
const engines = ['deltalake', 'polars', 'duckdb'] as const

/** What each engine sees in a Delta table: rows as texts (see read.py), and rows found per asked value. */
type Seen = {
	version: number
	rows: Record<(typeof engines)[number], Record<string, unknown>[]>
	found: Record<(typeof engines)[number], number[]>
}

/** Reads a Delta table in a folder or at `s3://` with every engine; `ask` are pairs of column and value. */
export type Readers = (folder: string, ask?: [string, string][], server?: S3Server) => Promise<Seen>

/**
 * The engines in an environment of their own, made once per set of requirements. Undefined, with one loud line, where Python
 * is missing; with CI set that is an error.
 */
export async function openReaders(): Promise<Readers | undefined> {
	const python = await findPython()
	if (python === undefined) return undefined
	return async (folder, ask = [], server) => {
		const env = { PATH: process.env.PATH, HOME: process.env.HOME, ...variablesOf(server) }
		const { stdout } = await run(python, [join(here, 'read.py'), folder, ...ask.flat()], { env, maxBuffer: 1 << 28 })
		return JSON.parse(stdout) as Seen
	}
}

function variablesOf(server: S3Server | undefined): Record<string, string> {
	if (!server) return {}
	const { endpoint, accessKeyId, secretAccessKey } = server
	return {
		AWS_ENDPOINT_URL: endpoint,
		AWS_ACCESS_KEY_ID: accessKeyId,
		AWS_SECRET_ACCESS_KEY: secretAccessKey,
		AWS_REGION: 'us-east-1',
	}
}

/** Path of a Python that has the engines; undefined as {@link openReaders} says. */
export async function findPython(): Promise<string | undefined> {
	const programs = await findPrograms('readers', join(here, 'requirements.txt'))
	return programs && join(programs, 'python')
}
