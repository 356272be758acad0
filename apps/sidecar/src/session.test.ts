import { expect, test } from 'vitest'
import { makeFrameHandler } from './session.ts'

test('a keepalive in the middle of a transaction says nothing of what was received', () => {
	const kept: bigint[] = []
	const assembler = { isOpen: false, handle: () => undefined }
	const handle = makeFrameHandler({
		sink: { keepalive: (position) => void kept.push(position), relief: () => undefined },
		...{ assembler, reliefBytes: 1_000, signal: new AbortController().signal },
	})
	const keepalive = (walEnd: bigint) => handle({ kind: 'keepalive', walEnd, replyRequested: false })
	void keepalive(10n)
	assembler.isOpen = true
	void keepalive(20n)
	assembler.isOpen = false
	void keepalive(30n)
	expect(kept).toEqual([10n, 30n])
})
