import {
	type Cell,
	type planRow,
	type planRowsInput,
	type planRowsOutput,
	ReprieveError,
	type Row,
} from '@reprieve/contracts'
import type { PlannedTable } from '@reprieve/control'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'
import { readCursor } from '../page.ts'
import { scanRows } from './scan-rows.ts'
import { readPlan } from './show.ts'
import { numbered } from './source.ts'

type Item = z.infer<typeof planRow>
type Place = { table: number; unit: string; n: string }
type StoredRow = { unit: string; n: number } & Record<string, string | null>

/** The rows of a plan, table by table, each in the order of the run. Throws NOT_FOUND, FORBIDDEN or PLAN_EXPIRED. */
export async function listPlanRows(
	services: Services,
	principal: Principal,
	input: z.infer<typeof planRowsInput>,
): Promise<z.infer<typeof planRowsOutput>> {
	const plan = await readPlan(services.control.db, principal, input.id)
	const tables = plan.body?.tables ?? []
	const hasKeepers = plan.body?.witness.kind === 'keeper'
	const limit = input.limit ?? 100
	const items: Item[] = []
	let place: Place | undefined = startOf(input.cursor)
	while (place && items.length < limit) {
		const planned: PlannedTable | undefined = tables[place.table]
		if (!planned) return { items }
		const names = columnsOf(planned, hasKeepers && place.table === 0)
		const wanted = limit - items.length
		const rows: StoredRow[] = await readRows(services, planned, { names, place, wanted })
		items.push(...rows.map((row) => toItem(planned, row)))
		place = nextPlace(place, rows, wanted)
	}
	return place && place.table < tables.length ? { items, next: `${place.table}.${place.unit}.${place.n}` } : { items }
}

function startOf(cursor: string | undefined): Place {
	const [table = '0', unit = '0', n = '0'] = readCursor(cursor, /^\d{1,4}\.\d{1,18}\.\d{1,9}$/)?.split('.') ?? []
	return { table: Number(table), unit, n }
}

function nextPlace(place: Place, rows: StoredRow[], wanted: number): Place {
	const end = rows.at(-1)
	return rows.length === wanted && end
		? { table: place.table, unit: end.unit, n: String(end.n) }
		: { table: place.table + 1, unit: '0', n: '0' }
}

function columnsOf(planned: PlannedTable, hasKeeper: boolean): string[] {
	const keeper = hasKeeper ? numbered(planned.key.length, 'w') : []
	return [...numbered(planned.key.length, 'k'), ...keeper].map((name) => `${name}::text as ${name}`)
}

async function readRows(
	services: Services,
	planned: PlannedTable,
	{ names, place, wanted }: { names: string[]; place: Place; wanted: number },
): Promise<StoredRow[]> {
	const from = '$1::text::bigint'
	const units = { from, to: `${from} + ${wanted}` }
	try {
		return await services.pools.plan.unsafe<StoredRow[]>(
			`select unit::text as unit, n, ${names.join(', ')} from ${scanRows(planned, units)} p
			where (unit, n) > ($1::text::bigint, $2::text::int) order by p.unit, n limit ${wanted}`,
			[place.unit, place.n],
		)
	} catch (error) {
		if ((error as { code?: string }).code !== '42P01') throw error
		throw new ReprieveError('PLAN_EXPIRED', 'the rows of this plan are not kept any more', { hint: 'Make a new plan.' })
	}
}

function toItem(planned: PlannedTable, row: StoredRow): Item {
	const keeper = row.w1 === undefined ? undefined : toKey(planned, row, 'w')
	return { table: planned.table, key: toKey(planned, row, 'k'), action: planned.action, ...(keeper && { keeper }) }
}

function toKey(planned: PlannedTable, row: StoredRow, prefix: string): Row {
	return Object.fromEntries(
		planned.key.map(({ column, typeName }, index) => [column, toCell(row[`${prefix}${index + 1}`] ?? null, typeName)]),
	)
}

function toCell(text: string | null, typeName: string): Cell {
	if (text === null) return null
	if (typeName === 'boolean') return text === 't' || text === 'true'
	return typeName === 'integer' || typeName === 'smallint' ? Number(text) : text
}
