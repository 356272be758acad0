import { openSessions, type Sql } from '@reprieve/postgres'
import { expect, test } from 'vitest'
import { readTextForms, readTexts } from '../../apps/sidecar/src/capture/texts.ts'
import { Transcriber } from '../../apps/sidecar/src/capture/transcribe.ts'
import { cstring, int16, int32, message } from '../../packages/cdc/src/pgoutput/fixture.ts'
import { plainKinds, typeStatements, type ValueKind } from '../fidelity/generated/values.ts'
import { freshDatabase } from '../support/postgres.ts'

const count = 60

/** Any characters, the odd ones more often than the others. */
const randomText = `(select coalesce(string_agg(case when random() < 0.5 then substr(E'\\\\"''{}(),\\t\\n\\r \\u00a0N', 1 + (random() * 14)::int, 1)
	else chr(1 + (random() * 55294)::int) end, ''), '') from generate_series(1, ($g) % 40))`

/** Values of no pattern; of bytes also such as end about where a piece of hex does. */
const randomKinds: ValueKind[] = [
	{ type: 'float8', value: '(($g) % 2 * 2 - 1) * random() * 10 ^ (random() * 600 - 300)' },
	{ type: 'float4', value: '((random() - 0.5) * 10 ^ (random() * 70 - 35))::float4' },
	{ type: 'numeric', value: '(random()::numeric - 0.5) * power(10::numeric, (random() * 200 - 100)::int)' },
	{ type: 'int8', value: '((random() - 0.5) * 1.8e19)::int8' },
	{ type: 'timestamptz', value: 'to_timestamp((random() - 0.02) * 9e12)' },
	{ type: 'timestamp', value: "timestamp '2000-01-01' + (random() - 0.02) * interval '200000 years'" },
	{
		type: 'interval',
		value:
			'make_interval(((random() - 0.5) * 9e6)::int, 0, 0, (random() * 99 - 50)::int, 0, 0, (random() - 0.5) * 1e9)',
	},
	{ type: 'text', value: randomText },
	{ type: 'varchar', value: randomText },
	{ type: 'char(60)', value: `${randomText}::char(60)` },
	{ type: 'text[]', value: `array[${randomText}, null, ${randomText}]` },
	{ type: 'generated_types.pair', value: `row(($g), ${randomText})::generated_types.pair` },
	{ type: 'jsonb', value: `jsonb_build_object(${randomText}, ${randomText}, 'n', (random() * 1e9)::numeric)` },
	{ type: 'json', value: `json_build_object(${randomText}, ${randomText})` },
	{ type: 'bytea', value: "decode(repeat(md5(random()::text), (random() * 90)::int), 'hex')" },
	{ type: 'bytea', value: "substr(decode(repeat(md5(($g)::text), 65540), 'hex'), 1, 1048576 + ($g) % 5 - 2)" },
	{ type: 'generated_types.bytes', value: "decode(md5(random()::text), 'hex')" },
]

test('the text of a binary value is what the server writes of it, whatever the type and the value', async () => {
	await using database = await freshDatabase()
	const sql = openSessions(database.url, { applicationName: 'test', max: 2 })
	try {
		for (const statement of typeStatements) await sql.unsafe(statement)
		await sql.unsafe('create domain generated_types.bytes as bytea')
		const seed = Math.random()
		for (const [at, kind] of [...plainKinds, ...randomKinds].entries()) {
			const values = await valuesOf(sql, kind, { name: `c${at}`, seed })
			expect(values.texts, `${kind.type}, seed ${seed}`).toEqual(values.expected)
		}
	} finally {
		await sql.end()
	}
}, 120_000)

test('others have their turn before a long message is handed on', async () => {
	await using database = await freshDatabase()
	const sql = openSessions(database.url, { applicationName: 'test', max: 1 })
	try {
		const told: string[] = []
		const assembler = { isOpen: true, handle: (bytes: Uint8Array) => void told.push(`${bytes.length} bytes`) }
		const transcriber = new Transcriber({ sql, assembler, unreadable: 1n, relief: () => undefined })
		const doc = [Buffer.from([0]), cstring('doc'), int32(17), int32(-1)]
		await transcriber.handle(message('R', int32(7), cstring('public'), cstring('t'), 'f', int16(1), ...doc))
		const bytes = Buffer.alloc(40 * 1024 * 1024)
		void transcriber.handle(message('D', int32(7), 'O', int16(1), 'b', int32(bytes.length), bytes))
		setImmediate(() => told.push('another'))
		await transcriber.handle(message('C'))
		const long = message('D', int32(7), 'O', int16(1), 't', int32(0)).length + 2 + 2 * bytes.length
		expect(told.slice(1)).toEqual(['another', `${long} bytes`, '1 bytes'])
	} finally {
		await sql.end()
	}
})

/** Texts of some values as made from their binary form, and as the server gives them. */
async function valuesOf(sql: Sql, { type, value }: ValueKind, { name, seed }: { name: string; seed: number }) {
	await sql.unsafe(`create table public.${name} as select (${value.replaceAll('$g', 'g')})::${type} as v
		from setseed(${seed}) s, generate_series(1, ${count}) g`)
	const [column] = await sql<{ oid: number; send: string }[]>`
		with recursive chain(type, depth) as (
			select atttypid, 0 from pg_attribute where attrelid = ${`public.${name}`}::regclass and attnum = 1
			union all
			select typbasetype, depth + 1 from chain join pg_type t on t.oid = chain.type where t.typtype = 'd')
		select (select type from chain where depth = 0)::int8 as oid, typsend::regproc::text as send
		from chain join pg_type t on t.oid = chain.type order by depth desc limit 1`
	const { oid, send } = column as { oid: number; send: string }
	const rows = await sql.unsafe<{ sent: Buffer; text: string }[]>(
		`select ${send}(v) as sent, format('%s', v) as text from public.${name} where v is not null
			or format('%s', v) <> ''`,
	)
	const columns = [{ name: 'v', typeOid: Number(oid), typmod: -1, key: false }]
	const relation = { oid: 0, schema: 'public', name, identity: 'f', columns }
	const forms = await readTextForms(sql, relation)
	const messages = rows.map(({ sent }) => ({ message: sent, values: [{ column: 0, start: 0, length: sent.length }] }))
	const texts = (await readTexts(sql, forms, messages)).map(([text]) => {
		const target = Buffer.alloc(text?.length ?? 0)
		text?.write(target, 0)
		return target.toString()
	})
	expect(texts.length).toBe(count)
	return { texts, expected: rows.map(({ text }) => text) }
}
