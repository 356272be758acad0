import { expect, test } from 'vitest'
import { CaptureStopped } from '../incident.ts'
import { ReadAgain, streamFailure } from './undecodable.ts'

test('a value too long for text is read again, then stops capture, a server short of memory is tried again', () => {
	const tooLong = [
		{ code: '54000', message: 'out of memory' },
		{ code: '54000', message: 'string buffer exceeds maximum allowed length (1073741823 bytes)' },
		{ code: 'XX000', message: 'invalid memory alloc request size 1200000003' },
	]
	for (const error of tooLong) {
		expect(streamFailure(error, { received: 1n })).toBeInstanceOf(ReadAgain)
		expect(streamFailure(error, { received: 1n, unreadable: 1n })).toBeInstanceOf(CaptureStopped)
	}
	const short = { code: '53200', message: 'out of memory' }
	expect(streamFailure(short, { received: 1n })).toBe(short)
})

test('the incident is that of the change which the server names, wherever capture stood', () => {
	const error = {
		...{ code: 'XX000', message: 'invalid memory alloc request size 1200000003' },
		where: 'slot "s", output plugin "pgoutput", in the change callback, associated LSN 0/A0B1C2',
	}
	expect(streamFailure(error, { received: 0x10n })).toMatchObject({ unreadable: 0xa0b1c2n })
	const [first, later] = [0x10n, 0x20n].map(
		(received) => streamFailure(error, { received, unreadable: 0xa0b1c2n }) as CaptureStopped,
	)
	expect(first?.incident).toMatchObject({ position: 0xa0b1c2n, id: later?.incident.id })
})

test('what has no binary form stops capture that reads in binary, and is no matter of a stream of text', () => {
	const error = { code: '42883', message: 'no binary output function available for type aclitem' }
	expect(streamFailure(error, { received: 1n, unreadable: 7n })).toMatchObject({ incident: { position: 7n } })
	expect(streamFailure(error, { received: 1n })).toBe(error)
	const away = { code: '57P01', message: 'terminating connection', where: 'in the change callback, associated LSN 0/1' }
	expect(streamFailure(away, { received: 1n, unreadable: 7n })).toBe(away)
})
