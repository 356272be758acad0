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

describe('docs/explanation/proof.md', () => {
	const page = 'docs/explanation/proof.md'
	const rows = [...read(page).matchAll(/^\| (P?\d[\d.]*) \| (.+?) \| (.*?) \| (.*?) \|$/gm)].map((match) => ({
		...{ rule: match[1] ?? '', tests: [...(match[3] ?? '').matchAll(/\[(.+?)\]\(\.\.\/\.\.\/(.+?)\)/g)] },
		guards: (match[4] ?? '').split('<br>').filter((name) => name !== ''),
	}))

	test('has every promise, and names each rule once', () => {
		const rules = rows.map(({ rule }) => rule)
		expect(rules.filter((rule) => rule.startsWith('P'))).toEqual(Array.from({ length: 10 }, (_, at) => `P${at + 1}`))
		expect(new Set(rules).size).toBe(rules.length)
	})

	test('names every guard under its rule, and no other', () => {
		const named = rows.flatMap(({ rule, guards }) => guards.map((name) => `${rule}: ${name}`))
		expect(named.sort()).toEqual(mutants.map(({ rule, name }) => `${rule}: ${name}`).sort())
	})

	test.each(rows)('$rule is shown by tests that exist', ({ tests }) => {
		expect(tests).not.toEqual([])
		for (const [, name = '', file = ''] of tests) expect(read(file)).toContain(name)
	})
})
