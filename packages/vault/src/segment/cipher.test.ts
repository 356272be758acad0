import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { decryptSegment, encryptSegment, parseSegmentKeys } from './cipher.ts'

const [first, second] = [randomBytes(32), randomBytes(32)]
const old = parseSegmentKeys(`a:${first.toString('hex')}`)
const rotated = parseSegmentKeys(`b:${second.toString('base64')},a:${first.toString('hex')}`)
const object = 'shop/public/customer/data/1.parquet'
const text = Buffer.from('what a row holds')

test('the newest key encrypts and every key decrypts', () => {
	const before = encryptSegment(old, object, text)
	const after = encryptSegment(rotated, object, text)
	expect([before.key, after.key]).toEqual(['a', 'b'])
	for (const sealed of [before, after]) {
		expect(decryptSegment(rotated, object, sealed)).toEqual(text)
		expect(Buffer.from(sealed.bytes).includes(text)).toBe(false)
	}
	expect(encryptSegment(old, object, text).bytes).not.toEqual(before.bytes)
})

test('a flipped bit, another place, another key and another id all show', () => {
	const sealed = encryptSegment(old, object, text)
	const corrupt = expect.objectContaining({ code: 'VAULT_CORRUPT', message: expect.stringContaining(object) })
	for (let at = 0; at < sealed.bytes.length; at++) {
		const bytes = Buffer.from(sealed.bytes)
		bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
		expect(() => decryptSegment(old, object, { ...sealed, bytes }), `bit of byte ${at}`).toThrow(corrupt)
	}
	const elsewhere = 'shop/public/orders/data/1.parquet'
	expect(() => decryptSegment(old, elsewhere, sealed)).toThrow(expect.objectContaining({ code: 'VAULT_CORRUPT' }))
	const other = parseSegmentKeys(`a:${second.toString('hex')}`)
	expect(() => decryptSegment(other, object, sealed)).toThrow(corrupt)
	const renamed = parseSegmentKeys(`b:${first.toString('hex')}`)
	expect(() => decryptSegment(renamed, object, { ...sealed, key: 'b' })).toThrow(corrupt)
	for (const length of [0, 4, 31, sealed.bytes.length - 1])
		expect(() => decryptSegment(old, object, { ...sealed, bytes: sealed.bytes.subarray(0, length) })).toThrow(corrupt)
})

test('a key that is not at hand is asked for by its id', () => {
	const sealed = encryptSegment(rotated, object, text)
	for (const keys of [old, undefined])
		expect(() => decryptSegment(keys, object, sealed)).toThrow(
			expect.objectContaining({
				code: 'VAULT_UNAVAILABLE',
				retryable: false,
				message: expect.stringMatching(/1\.parquet is encrypted under key "b"/),
			}),
		)
})

test('a key without an id gets one of its own, the same each time', () => {
	const [id] = parseSegmentKeys(first.toString('hex')).keys()
	expect([...parseSegmentKeys(`${second.toString('base64url')},${first.toString('base64')}`).keys()][1]).toBe(id)
	expect(id).toMatch(/^[0-9a-f]{12}$/)
})

test('keys that are off are refused without being repeated', () => {
	const half = first.toString('hex').slice(0, 62)
	for (const keys of ['', 'a:', half, `a:${half}`, `a b:${first.toString('hex')}`, `${first.toString('hex')},`])
		expect(() => parseSegmentKeys(keys), keys).toThrow(
			expect.objectContaining({ code: 'INVALID', message: expect.not.stringContaining(half) }),
		)
	const twice = `a:${first.toString('hex')},a:${second.toString('hex')}`
	expect(() => parseSegmentKeys(twice)).toThrow(expect.objectContaining({ code: 'INVALID' }))
})
