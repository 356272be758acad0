import { execFile } from 'node:child_process'
import { chmod, mkdtemp, open, rm, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A file system of its own that is soon full. */
export type SmallDisk = AsyncDisposable & {
	path: string
	/** Takes all that is free. */
	fill(): Promise<void>
	/** Gives it back. */
	relieve(): Promise<void>
}

/** Mounts a small file system in memory; undefined, with one loud line, where that is not allowed (it needs root). */
export async function mountSmallDisk(megabytes: number): Promise<SmallDisk | undefined> {
	const path = await mkdtemp(join(tmpdir(), 'reprieve-disk-'))
	try {
		await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path])
	} catch (error) {
		await rmdir(path)
		console.error(`SKIPPED: a full disk needs the right to mount one: ${(error as Error).message.split('\n')[0]}`)
		return undefined
	}
	await chmod(path, 0o777)
	const ballast = join(path, 'ballast')
	return {
		path,
		async fill() {
			await using file = await open(ballast, 'a')
			for (const size of [1024 * 1024, 4096]) while (await hasRoom(file, Buffer.alloc(size)));
		},
		relieve: () => rm(ballast, { force: true }),
		async [Symbol.asyncDispose]() {
			await run('umount', ['--lazy', path])
			await rmdir(path)
		},
	}
}

async function hasRoom(file: Awaited<ReturnType<typeof open>>, bytes: Uint8Array): Promise<boolean> {
	try {
		return (await file.write(bytes)).bytesWritten === bytes.length
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false
		throw error
	}
}
