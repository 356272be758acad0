import { readFile, readlink, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

/**
 * Clears what a killed start left: a server that still runs in `data` is stopped (fast shutdown), a
 * `postmaster.pid` whose process is gone or is another's is removed. The caller holds the folder's lock.
 */
export async function clearOrphan(data: string): Promise<void> {
	const file = join(data, 'postmaster.pid')
	const text = await readFile(file, 'utf8').catch(() => '')
	const pid = Number(text.split('\n')[0])
	if (!Number.isInteger(pid) || pid <= 0) return
	if (!(await isServerOf(pid, data))) return rm(file, { force: true })
	process.kill(pid, 'SIGINT')
	while (await isServerOf(pid, data)) await pause(20)
}

/** A postmaster's working folder is its data folder. */
async function isServerOf(pid: number, data: string): Promise<boolean> {
	return (await readlink(`/proc/${pid}/cwd`).catch(() => '')) === data
}
