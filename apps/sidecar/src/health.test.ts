import { expect, test } from 'vitest'
import { type Health, serveHealth } from './health.ts'

async function answer({ port }: Pick<Health, 'port'>): Promise<{ status: number; state: string }> {
	const response = await fetch(`http://127.0.0.1:${port}/healthz`)
	return { status: response.status, ...((await response.json()) as { state: string }) }
}

test('only a sidecar that streams is healthy', async () => {
	const health = await serveHealth(0)
	expect(await answer(health)).toEqual({ status: 503, state: 'starting' })
	health.onState('streaming')
	expect(await answer(health)).toEqual({ status: 200, state: 'streaming' })
	health.onState('starting')
	expect(await answer(health)).toEqual({ status: 503, state: 'starting' })
	health.onState('stopped')
	expect(await answer(health)).toEqual({ status: 503, state: 'stopped' })
	await health.close()
})

test('a port that is taken is refused by name', async () => {
	const health = await serveHealth(0)
	await expect(serveHealth(health.port)).rejects.toMatchObject({
		code: 'INVALID',
		message: expect.stringContaining(`REPRIEVE_HEALTH_PORT is ${health.port}: `),
	})
	await health.close()
})
