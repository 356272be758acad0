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
