import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { createFrameReader } from './decode.ts'
import { type Description, describeFrame, frameOf } from './describe.ts'
import { encodeFrame } from './encode.ts'
import { key } from './fixture.ts'
import type { Frame } from './frame.ts'

const folder = fileURLToPath(new URL('./golden/', import.meta.url))
const script = fileURLToPath(new URL('../../../../docs/reference/frames/read.py', import.meta.url))
const cases = readdirSync(folder).flatMap((file) => (file.endsWith('.json') ? file.slice(0, -'.json'.length) : []))

/** A new description gets its records from the first run, which fails, so that somebody looks at them. */
function recordsOf(name: string, description: Description): Buffer {
	const file = `${folder}${name}.records`
	if (existsSync(file)) return readFileSync(file)
	writeFileSync(file, Buffer.concat(encodeFrame(frameOf(description), { key, ...description })))
	throw new Error(`golden/${name}.records was missing and is written now: look at it and keep it`)
}

/** Records lie one behind the other: the first line says how long each is. */
function cut(records: Buffer): Buffer[] {
	if (records.length === 0) return []
	const lineEnd = records.indexOf('\n')
	const { body } = JSON.parse(records.toString('utf8', 0, lineEnd)) as { body: number }
	const end = lineEnd + 1 + body + 32
	return [records.subarray(0, end), ...cut(records.subarray(end))]
}

describe.each(cases)('golden frame %s', (name) => {
	const description = JSON.parse(readFileSync(`${folder}${name}.json`, 'utf8')) as Description

	test('is written as its records', () => {
		const records = recordsOf(name, description)
		expect(encodeFrame(frameOf(description), { key, ...description })).toEqual(cut(records))
	})

	test('is read from its records', () => {
		const reader = createFrameReader({ key })
		const read = cut(recordsOf(name, description)).map((record) => reader.read(record))
		const { id, maxRecordBytes, ...frame } = description
		expect(read.slice(0, -1)).toEqual(Array(read.length - 1).fill(undefined))
		expect(describeFrame(read.at(-1) as Frame)).toEqual(frame)
	})

	test('is read by the script of the documentation', () => {
		const output = execFileSync('python3', [script], {
			input: recordsOf(name, description),
			env: { ...process.env, REPRIEVE_FRAME_KEY: key.toString('hex') },
		})
		const lines = output.toString().trimEnd().split('\n').filter(Boolean)
		const expected = description.kind === 'rows' ? description.rows : description.transactions
		expect(lines.map((line) => JSON.parse(line))).toEqual(expected)
	})
})

test('the script of the documentation refuses a record that was changed', () => {
	const records = readFileSync(`${folder}rows.records`)
	records[records.length - 40] = (records[records.length - 40] as number) ^ 1
	const env = { ...process.env, REPRIEVE_FRAME_KEY: key.toString('hex') }
	expect(() => execFileSync('python3', [script], { input: records, env, stdio: 'pipe' })).toThrow(
		/signature does not hold/,
	)
})
