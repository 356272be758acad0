import type { FrameShare } from '@reprieve/cdc'
import { expect, test } from 'vitest'
import { endOf } from './chain.ts'
import { sentAt, transactionsFrame } from './fixture.ts'
import { ReceiptQueue, type ShareState } from './queue.ts'

const covered = () => 'covered' as const
const first = transactionsFrame([sentAt(10n, 0), sentAt(20n, 0, 1)], { received: 30n, predecessor: endOf(9n) })
const second = transactionsFrame([sentAt(40n, 1)], { received: 50n, predecessor: endOf(29n) })

function queueOf(...frames: (typeof first)[]): ReceiptQueue {
	const queue = new ReceiptQueue({ archived: 10n, isContiguous: true, next: 0n })
	for (const [at, frame] of frames.entries()) queue.arrive({ frame, offset: BigInt(at), next: BigInt(at + 1) })
	return queue
}

test('what is covered is handed over up to what was received', () => {
	const receipts = queueOf(first, second).take(covered)
	expect(receipts).toMatchObject({ position: 50n, after: 10n, resume: 2n, gaps: [], isFinal: false })
	expect(receipts?.transactions.map(({ position }) => position)).toEqual([10n, 20n, 40n])
})

test('a transaction that waits for one share holds back all behind it, and reading begins anew with its frame', () => {
	const queue = queueOf(first, second)
	const stateOf = ({ partition }: FrameShare): ShareState => (partition === 0 ? 'covered' : 'awaited')
	expect(queue.take(stateOf)).toMatchObject({ position: 15n, resume: 0n })
	expect(queue.take(stateOf)).toBeUndefined()
	expect(queue.head?.position).toBe(20n)
	expect(queue.take(covered)).toMatchObject({ position: 50n, after: 15n, resume: 2n })
})

test('a receipt does not count rows that are lost, and says so', () => {
	const receipts = queueOf(first).take(({ partition }) => (partition === 1 ? 'missing' : 'covered'))
	expect(receipts?.transactions.map(({ archived }) => archived?.rows)).toEqual([{ t: { deleted: 1, relinked: 0 } }, {}])
	expect(receipts?.transactions[1]?.incidents.map(({ code }) => code)).toEqual(['ROWS_MISSING'])
	expect(receipts?.transactions[1]?.gaps).toMatchObject([{ table: 't', position: 20n }])
})

test('what came before is not handed over again', () => {
	const queue = queueOf(first)
	queue.take(covered)
	const again = { ...first, header: { ...first.header, session: 'b' } }
	expect(queue.identify(again).repeated.map(({ position }) => position)).toEqual([10n, 20n])
	expect(queue.arrive({ frame: again, offset: 5n, next: 6n })).toBe('repeated')
	expect(queue.take(covered)).toBeUndefined()
})

test("the epoch's last word comes behind everything, also when it is said twice", () => {
	const last = transactionsFrame([], { received: 50n, predecessor: endOf(29n), isFinal: true })
	const queue = queueOf(first, last)
	expect(queue.take(({ final }) => (final.position === 20n ? 'awaited' : 'covered'))).toMatchObject({ isFinal: false })
	expect(queue.take(covered)).toMatchObject({ isFinal: true, position: 50n })
	queue.arrive({ frame: last, offset: 8n, next: 9n })
	expect(queue.take(covered)).toMatchObject({ isFinal: true, position: 50n, after: 50n })
})

test('transactions behind a hole wait for a session that sends what is missing', () => {
	const queue = queueOf(second)
	expect(queue.take(covered)).toBeUndefined()
	queue.arrive({ frame: { ...first, header: { ...first.header, session: 'b' } }, offset: 1n, next: 2n })
	expect(queue.take(covered)).toMatchObject({ position: 30n })
})

test('a session that starts behind what is missing leaves a gap', () => {
	const queue = queueOf(first)
	const later = transactionsFrame([sentAt(70n, 0)], { received: 80n, predecessor: endOf(59n), session: 'b' })
	expect(queue.arrive({ frame: later, offset: 1n, next: 2n })).toBe('gap')
	expect(queue.take(covered)?.gaps).toEqual([{ from: endOf(29n), to: endOf(59n), isLost: true }])
})
