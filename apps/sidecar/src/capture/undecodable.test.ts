import { expect, test } from 'vitest'
import { CaptureStopped } from '../incident.ts'
import { streamFailure } from './undecodable.ts'

test('a value too long for text stops capture, a server short of memory is tried again', () => {
	const tooLong = [
		{ code: '54000', message: 'out of memory' },
		{ code: '54000', message: 'string buffer exceeds maximum allowed length (1073741823 bytes)' },
		{ code: 'XX000', message: 'invalid memory alloc request size 1200000003' },
	]
	for (const error of tooLong) expect(streamFailure(error, 1n)).toBeInstanceOf(CaptureStopped)
	const short = { code: '53200', message: 'out of memory' }
	expect(streamFailure(short, 1n)).toBe(short)
})

test('the incident is that of the change which the server names, wherever capture stood', () => {
	const error = {
		...{ code: 'XX000', message: 'invalid memory alloc request size 1200000003' },
		where: 'slot "s", output plugin "pgoutput", in the change callback, associated LSN 0/A0B1C2',
	}
	const [first, later] = [0x10n, 0x20n].map((received) => streamFailure(error, received) as CaptureStopped)
	expect(first?.incident).toMatchObject({ position: 0xa0b1c2n, id: later?.incident.id })
})
