import { lstat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

/** The user that the server runs as: ourselves, or nobody where we are root (PostgreSQL refuses to run as root). */
export const serverIdentity: { uid?: number; gid?: number } = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}

/** Whether the server's user may pass through every folder above `path`. Always true when it is ourselves. */
export async function isReachable(path: string): Promise<boolean> {
	if (serverIdentity.uid === undefined) return true
	for (let folder = dirname(resolve(path)); ; folder = dirname(folder)) {
		const found = await lstat(folder).catch(() => undefined)
		if (found && !(found.mode & 0o001) && !(found.uid === serverIdentity.uid && found.mode & 0o100)) return false
		if (folder === dirname(folder)) return true
	}
}
