import { cstring, int16, int32, message } from '@reprieve/cdc/fixture'
import type { SourceTable } from '@reprieve/contracts'
import type { RelationFacts } from '@reprieve/sidecar/steps'
import { column, sourceTable } from '../vault/rows.ts'

const orders = sourceTable([column(1, 'id', 'bigint'), column(2, 'note', 'text')], { oid: 101, name: 'orders' })

const lines = sourceTable([column(1, 'id', 'bigint'), column(2, 'order_id', 'bigint'), column(3, 'note', 'text')], {
	oid: 102,
	name: 'lines',
	foreignKeys: [
		{
			...{ name: 'lines_order', oid: 901, columns: ['order_id'], onDelete: 'setNull', onDeleteColumns: ['order_id'] },
			references: { oid: 101, schema: 'public', name: 'orders', columns: ['id'] },
			...{ deferrable: false, validated: true },
		},
	],
})

const events = sourceTable([column(1, 'id', 'bigint'), column(2, 'region', 'text'), column(3, 'note', 'text')], {
	...{ oid: 103, name: 'events', kind: 'p', key: ['id', 'region'] },
})

const leafOf = (oid: number, name: string): SourceTable => ({ ...events, oid, name, kind: 'r' })

/** A relation of the stream: an ordinary table, or a leaf. */
export type SimulatedRelation = { oid: number; table: SourceTable; root: SourceTable; facts: RelationFacts }

function relation(table: SourceTable, root = table, more: Partial<RelationFacts> = {}): SimulatedRelation {
	const facts = {
		...{ rootOid: root.oid, isPartition: root !== table, partitionColumns: [], hasPartitionExpression: false },
		...{ referenced: [], table, root },
		...more,
	}
	return { oid: table.oid, table, root, facts }
}

const ofEvents = { partitionColumns: ['region'] }

/** The relations of the database: a parent, a child that SET NULL rewrites, and two leaves of one root. */
export const relations = {
	orders: relation(orders, orders, { referenced: [{ oid: 101, columns: ['id'] }] }),
	lines: relation(lines),
	north: relation(leafOf(104, 'events_north'), events, ofEvents),
	south: relation(leafOf(105, 'events_south'), events, ofEvents),
}

/** Tables as the vault has them. */
export const roots = [orders, lines, events]

/** The stream's message about a relation's shape. */
export function relationMessage({ oid, table }: SimulatedRelation): Buffer {
	const columns = table.columns.flatMap(({ name, typeOid, typmod }) => [
		...[Buffer.from([1]), cstring(name), int32(typeOid), int32(typmod)],
	])
	return message('R', int32(oid), cstring('public'), cstring(table.name), 'f', int16(table.columns.length), ...columns)
}
