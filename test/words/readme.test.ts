import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { errorCodes } from '@reprieve/contracts'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const pages = [
	'README.md',
	...readdirSync(join(root, 'docs'), { recursive: true }).map((file) => `docs/${file}`),
].filter((file) => file.endsWith('.md'))

function section(title: string): string {
	return readme.split(`## ${title}\n`)[1]?.split('\n## ')[0] ?? ''
}

/** `NAME_FILE` stands for the secret NAME wherever one is read. */
function variablesOf(file: string): string[] {
	const names = [...readFileSync(file, 'utf8').matchAll(/\b((?:REPRIEVE|DATABASE|KAFKA)_[A-Z_]+)\b/g)]
	return names.map((match) => match[1] as string).filter((name) => !name.endsWith('_FILE'))
}

describe('README', () => {
	test('names every error code under troubleshooting, and no other', () => {
		const named = [...section('Troubleshooting').matchAll(/`([A-Z_]+)`/g)].map((match) => match[1])
		expect(named.sort()).toEqual([...errorCodes].sort())
	})

	test('names every variable that the configurations read, and no other', () => {
		const files = [
			'service/src/config.ts',
			'sidecar/src/config.ts',
			'sidecar/src/kafka/environment.ts',
			'standalone/src/config.ts',
		]
		const read = files.flatMap((file) => variablesOf(join(root, 'apps', file)))
		const named = [...section('Configuration').matchAll(/`((?:REPRIEVE|DATABASE|KAFKA)_[A-Z_]+)`/g)].map(
			(match) => match[1],
		)
		expect([...new Set(named)].sort()).toEqual([...new Set(read)].sort())
	})

	test('names only scripts that exist', () => {
		const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
			scripts: Record<string, string>
		}
		const used = [...readme.matchAll(/(?:npx -y pnpm@\S+|^pnpm) ([a-z]+)/gm)].map((match) => match[1] as string)
		expect(used.length).toBeGreaterThan(3)
		expect(used.filter((name) => !(name in scripts))).toEqual([])
	})

	test('names the pnpm that the project pins', () => {
		const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
			packageManager: string
		}
		expect(new Set([...readme.matchAll(/pnpm@[\d.]+/g)].map((match) => match[0]))).toEqual(new Set([packageManager]))
	})
})

test.each(pages)('%s links only to files that exist', (page) => {
	const text = readFileSync(join(root, page), 'utf8')
	const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((match) =>
		join(root, dirname(page), match[1] as string),
	)
	expect(links.filter((link) => !existsSync(link))).toEqual([])
})

/** Rows of tables with the number of their cells, where it is not that of the table's head. */
function raggedRows(text: string): string[] {
	const prose = text.replaceAll(/^```[\s\S]*?^```$/gm, '')
	return prose.split('\n\n').flatMap((block) => {
		const rows = block.split('\n').filter((line) => line.startsWith('|'))
		const cells = rows.map((row) => row.split(/(?<!\\)\|/).length)
		return rows.filter((_, at) => cells[at] !== cells[0])
	})
}

test.each(pages)('every row of a table of %s has a cell for each of its columns', (page) => {
	expect(raggedRows(readFileSync(join(root, page), 'utf8'))).toEqual([])
})
