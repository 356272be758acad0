import { createHash } from 'node:crypto'
import { chmod, lstat, mkdir, realpath, symlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ReprieveError } from '@reprieve/contracts'
import { sharedFolder } from './binaries.ts'
import { isReachable } from './identity.ts'

/**
 * The folder that holds the cluster of a data folder: `postgres` in it. Where the server's user cannot reach that
 * (root, below a private folder), `postgres` is a link to a folder below {@link sharedFolder}; it is made once and followed later.
 */
export async function placeCluster(dataFolder: string): Promise<string> {
	const place = join(resolve(dataFolder), 'postgres')
	if (await lstat(place).catch(() => undefined)) return follow(place)
	if (await isReachable(join(place, 'data'))) {
		await mkdir(place)
		await chmod(place, 0o755)
		return place
	}
	const target = join(sharedFolder, createHash('sha256').update(place).digest('hex').slice(0, 16))
	await mkdir(target, { recursive: true })
	await chmod(sharedFolder, 0o755)
	await chmod(target, 0o755)
	await symlink(target, place)
	return target
}

async function follow(place: string): Promise<string> {
	const target = await realpath(place).catch((cause) => {
		throw new ReprieveError('UNAVAILABLE', `${place} leads nowhere`, {
			cause,
			hint: 'Its database was deleted: remove the data folder too, and start again.',
		})
	})
	if (await isReachable(join(target, 'data'))) return target
	throw new ReprieveError('UNAVAILABLE', `the user nobody, as whom PostgreSQL runs, cannot reach ${target}`, {
		hint: 'Let others pass through the folders above it (chmod o+x), set REPRIEVE_DATA to another folder, or start as a normal user.',
	})
}
