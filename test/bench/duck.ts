import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { findPython } from '../support/readers/readers.ts'

/** DuckDB that holds rows in memory and writes them out as Parquet, zstd, one thread. */
export type Duck = AsyncDisposable & {
	pid: number
	write(): Promise<{ rows: number; seconds: number; bytes: number }>
}

/** As a reader would type it. */
export const duckCommand = 'set threads = 1; copy archived to ... (format parquet, compression zstd)'

/** Reads the files into DuckDB's memory; `target` is overwritten by every writing. Throws where Python is missing. */
export async function openDuck(target: string, files: readonly string[]): Promise<Duck> {
	const python = await findPython()
	if (!python) throw new Error('DuckDB needs python3 with venv and pip')
	const child = spawn(python, [join(import.meta.dirname, 'duck.py'), target, ...files], {
		stdio: ['pipe', 'pipe', 'inherit'],
	})
	const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
	const answer = async () => {
		const { value, done } = await lines.next()
		if (done) throw new Error('DuckDB ended')
		return JSON.parse(value) as { rows: number; seconds: number; bytes: number }
	}
	await answer()
	return {
		pid: child.pid as number,
		async write() {
			child.stdin.write('\n')
			return await answer()
		},
		[Symbol.asyncDispose]: () => end(child),
	}
}

async function end(child: ChildProcess): Promise<void> {
	const ended = once(child, 'exit')
	child.stdin?.end()
	await ended
}
