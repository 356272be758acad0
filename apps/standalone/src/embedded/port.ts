import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { ReprieveError } from '@reprieve/contracts'

/** The port of the cluster's earlier start where it is still free, else a new one, remembered beside the cluster. */
export async function rememberedPort(data: string): Promise<number> {
	const file = join(dirname(data), 'postgres-port')
	const before = Number(await readFile(file, 'utf8').catch(() => '0'))
	if (before && (await isFree(before))) return before
	const port = await freePort()
	await writeFile(file, `${port}\n`)
	return port
}

/** A loopback port that nobody listens on at this moment. */
export async function freePort(): Promise<number> {
	const probe = createServer().listen(0, '127.0.0.1')
	await once(probe, 'listening')
	const address = probe.address()
	probe.close()
	await once(probe, 'close')
	if (typeof address !== 'object' || !address) throw new ReprieveError('UNAVAILABLE', 'no free loopback port')
	return address.port
}

/** Whether nobody listens on a loopback port at this moment. */
export async function isFree(port: number): Promise<boolean> {
	const probe = createServer()
	const listening = new Promise<boolean>((resolve) => {
		probe.once('error', () => resolve(false))
		probe.listen(port, '127.0.0.1', () => resolve(true))
	})
	if (!(await listening)) return false
	probe.close()
	await once(probe, 'close')
	return true
}
