import { randomUUID } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The secret in a file of the data folder, made on first use (0600). Two that ask at once agree on one secret. */
export async function keepSecret(folder: string, name: string, create: () => string): Promise<string> {
	const path = join(folder, name)
	const found = await readSecret(path)
	if (found) return found
	await mkdir(folder, { recursive: true })
	const draft = `${path}.${randomUUID()}`
	await writeFile(draft, `${create()}\n`, { mode: 0o600, flag: 'wx' })
	await link(draft, path).catch((error) => {
		if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
	})
	await rm(draft)
	return (await readSecret(path)) as string
}

async function readSecret(path: string): Promise<string | undefined> {
	try {
		return (await readFile(path, 'utf8')).trim()
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
		throw error
	}
}
