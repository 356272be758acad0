import { expect, test } from 'vitest'
import { Scratch } from './scratch.ts'

test('more than its places can tell is refused', () => {
	const scratch = new Scratch()
	scratch.used = 2 ** 31 - 10
	expect(() => scratch.take(20)).toThrow(RangeError)
})
