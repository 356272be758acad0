import { expect, test } from 'vitest'
import { FlushLoop } from './flush-loop.ts'
import type { CommittedTransaction } from './transaction.ts'

test('those that drain at once all end', async () => {
	let flushes = 0
	const loop = new FlushLoop({
		config: { lingerMs: 3_600_000, bufferBytes: 1_000, keepaliveMs: 1_000, keepaliveBytes: 1_000 },
		...{ buffers: new Map(), received: 0n, onFailure: () => {} },
		flush: async () => {
			// What goes on for ever lets no time-out come.
			if (++flushes > 100) throw new Error('flushes without end')
		},
	})
	loop.add({ archived: {}, end: 1n, incidents: [] } as unknown as CommittedTransaction)
	await Promise.all([loop.drain(), loop.drain(), loop.drain()])
	expect(flushes).toBeLessThanOrEqual(3)
	await loop.stop()
})
