import { nullLength, type Relation, type Tuple } from '@reprieve/cdc'
import type { Overwritten } from '@reprieve/contracts'
import { describeTable, type Sql } from '@reprieve/postgres'
import { adoptRemedy, CaptureStopped } from '../incident.ts'
import type { Assembler } from './assemble.ts'
import type { Relations } from './relations.ts'

/** Archives the images that a restore overwrote, as changes of their table. Throws SCHEMA_DRIFT when it has not these columns. */
export async function appendOverwritten(
	{ sql, relations, assembler }: { sql: Sql; relations: Relations; assembler: Assembler },
	images: Overwritten,
): Promise<void> {
	const table = await describeTable(sql, images.oid)
	const columns = images.columns.map((name) => table?.columns.find((column) => column.name === name))
	if (!table || columns.some((column) => !column)) {
		throw new CaptureStopped('SCHEMA_DRIFT', {
			code: 'SCHEMA_DRIFT',
			message: `restore ${images.id} overwrote rows of ${images.table} with the columns ${images.columns.join(', ')}, which it has no more`,
			remedy: adoptRemedy,
			table: images.table,
		})
	}
	const relation: Relation = {
		oid: table.oid,
		schema: table.schema,
		name: table.name,
		identity: 'f',
		columns: columns.flatMap((column) => (column ? [{ ...column, key: false }] : [])),
	}
	const mapping = await relations.map(relation)
	for (const row of images.rows) assembler.appendOverwritten(mapping, tupleOf(row))
}

function tupleOf(row: (string | null)[]): Tuple {
	const values = row.map((text) => (text === null ? undefined : Buffer.from(text)))
	const length = Int32Array.from(values, (value) => value?.length ?? nullLength)
	const start = new Int32Array(values.length)
	for (let place = 1; place < start.length; place++) {
		start[place] = (start[place - 1] as number) + (values[place - 1]?.length ?? 0)
	}
	return { bytes: Buffer.concat(values.filter((value) => value !== undefined)), count: row.length, start, length }
}
