import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { root } from '../mutants/copy.ts'
import { takeOut } from '../mutants/mutant.ts'
import { mutants } from '../mutants/mutants.ts'

const read = (file: string) => readFileSync(join(root, file), 'utf8')

describe('mutants', () => {
	test('have names of their own, and are enough', () => {
		expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length)
		expect(mutants.length).toBeGreaterThanOrEqual(40)
	})

	test.each(mutants)('$name: its guard is where it is said to be', (mutant) => {
		expect(takeOut(mutant, read(mutant.file))).not.toBe(read(mutant.file))
	})

	test.each(mutants)('$name: the tests that must notice exist', ({ tests }) => {
		expect(Object.values(tests).flat()).not.toEqual([])
		for (const [file, names] of Object.entries(tests)) {
			expect(existsSync(join(root, file)), file).toBe(true)
			for (const name of names) expect(read(file)).toContain(name)
		}
	})
})
