import type { PlannedTable } from '@reprieve/control'
import { arrayLiteral } from '@reprieve/postgres'
import type { Candidates } from '../candidates/candidates.ts'
import { isPackedAsText } from '../scan-rows.ts'
import { refuseMatches, storedColumns } from './match.ts'
import type { StagedTable, Workspace } from './workspace.ts'
import { planned, storedValues } from './write.ts'

type Options = { prefix: string; limit: number }

/** Writes the rows of a table that nothing references straight from the policy, each a unit of its own, many to a stored row. */
export async function writeMatches(work: Workspace, candidates: Candidates, options: Options): Promise<PlannedTable[]> {
	const root = work.staged[0] as StagedTable
	const name = `${options.prefix}_0`
	const columns = storedColumns(root.key.length, root.hasKeeper).filter(
		(column) => !work.isOneLeaf || !/leaf$/.test(column),
	)
	const packs = await statePacks(work, candidates, { root, columns, limit: options.limit })
	// Unlike INSERT, it may scan in parallel.
	await work.sql.unsafe(`create table reprieve.${name} as ${packs}`, candidates.params)
	const [counted] = await work.sql.unsafe<{ rows: string; together: number }[]>(
		`select coalesce(sum(cardinality(version)), 0)::text as rows, coalesce(max(cardinality(version)), 1) as together
		from reprieve.${name}`,
	)
	const rows = Number(counted?.rows)
	if (rows > options.limit) await refuseMatches(work, candidates, options.limit)
	await work.sql.unsafe(`alter table reprieve.${name} add primary key (first)`)
	await work.sql.unsafe(`analyze reprieve.${name} (first)`)
	const packed = { rows: Number(counted?.together), columns, ...(work.isOneLeaf && { leaf: root.table.oid }) }
	return [planned(root.table, root.key, { name, packed, rows, action: 'delete', rewrites: [] })]
}

type Matches = { root: StagedTable; columns: string[]; limit: number }

/** SQL of the packs of a policy's rows: `first` and each of the columns as an array. */
async function statePacks(work: Workspace, candidates: Candidates, matches: Matches): Promise<string> {
	const width = await readWidth(work, matches.root)
	const paged = work.isOneLeaf && fitsPages(width) ? candidates.paged : undefined
	const expected = paged === undefined ? 0 : await readExpected(work, candidates)
	if (paged === undefined || expected < fewOfPage * width.pages)
		return packInTurn(candidates, matches, rowsTogether(matches.root, width))
	// Pages are all packed before they can be counted.
	if (expected > matches.limit) await refuseMatches(work, candidates, matches.limit)
	return packByPage(paged, matches)
}

/** Numbered as they come: of many matches one process sees each. */
function packInTurn({ text }: Candidates, { root, columns, limit }: Matches, together: number): string {
	return `select (unit - 1) / ${together} * ${together} + 1 as first, ${aggregate(root, columns)}
		from (select row_number() over () as unit, ${storedAs(root).join(', ')}
			from (${text}) m limit ${limit + 1}) numbered group by 1`
}

/**
 * All rows of a page of the heap together, which parallel workers pack each for themselves. Of one relation the server would take
 * every row for a page of its own, since it knows a row's place to be unique; of a union it supposes nothing.
 */
function packByPage(paged: string, { root, columns }: Matches): string {
	const none = ['bytea', 'oid', ...root.key.map(({ storedType }) => storedType), 'xid'].map((type) => `null::${type}`)
	return `select sum(cardinality(version)) over (order by page rows unbounded preceding) - cardinality(version) + 1 as first,
			${columns.join(', ')}
		from (select page, ${aggregate(root, columns)} from (
			select m.page, ${storedAs(root).join(', ')} from (${paged}) m
			union all select ${none.join(', ')} where false) matched group by page) packs`
}

function storedAs(root: StagedTable): string[] {
	const names = storedColumns(root.key.length, root.hasKeeper)
	return storedValues(root, 'm').map((value, index) => `${value} as ${names[index]}`)
}

function aggregate(root: StagedTable, columns: string[]): string {
	return columns.map((column) => `array_agg(${elementOf(root, column)}) as ${column}`).join(', ')
}

function elementOf({ key }: StagedTable, column: string): string {
	const storedType = /^[kw]\d+$/.test(column) ? key[Number(column.slice(1)) - 1]?.storedType : undefined
	return storedType && isPackedAsText(storedType) ? `${column}::text` : column
}

/**
 * Of a table: bytes of a key on average, pages that it has, and rows of a page where it was analysed. `isOneEncoding`: workers hand over
 * what they packed as it is received from a client, texts in the database's encoding; a session with another one reads them
 * as other texts (array_agg_serialize and array_agg_deserialize of PostgreSQL 16 and later).
 */
type Width = { keyBytes: number; pages: number; pageRows: number | null; isOneEncoding: boolean }

async function readWidth(work: Workspace, { table }: StagedTable): Promise<Width> {
	const [width] = await work.sql<Width[]>`
		select sum(case when a.attlen > 0 then a.attlen else coalesce((select max(s.avg_width) from pg_stats s
				where s.schemaname = ${table.schema} and s.tablename = ${table.name} and s.attname = a.attname), 32) + 4 end)::float8 as "keyBytes",
			pg_relation_size(c.oid)::float8 / current_setting('block_size')::int as pages,
			pg_client_encoding() = getdatabaseencoding() as "isOneEncoding",
			(case when c.relpages > 0 and c.reltuples > 0 then c.reltuples / c.relpages end)::float8 as "pageRows"
		from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = any(${arrayLiteral(table.key)}::name[])
		where c.oid = ${table.oid}::int8::oid group by c.oid, c.relpages, c.reltuples`
	return width ?? { keyBytes: 0, pages: 0, pageRows: null, isOneEncoding: false }
}

/** How many matches the server expects. */
async function readExpected(work: Workspace, { text, params }: Candidates): Promise<number> {
	const [row] = await work.sql.unsafe<{ 'QUERY PLAN': { Plan: { 'Plan Rows': number } }[] }[]>(
		`explain (format json) ${text}`,
		params,
	)
	return row?.['QUERY PLAN'][0]?.Plan['Plan Rows'] ?? 0
}

/** Bytes of values that a pack holds at most: longer ones would be compressed, or stored out of line. */
const packedBytes = 1500
const mostTogether = 100

function rowsTogether({ hasKeeper }: StagedTable, { keyBytes }: Width): number {
	const bytes = keyBytes * (hasKeeper ? 2 : 1) + 12
	return Math.max(1, Math.min(mostTogether, Math.floor(packedBytes / bytes)))
}

/** Matches of a page below which there would be more packs than are worth it. */
const fewOfPage = 4

/** What workers hand over stays as it is, and a full page makes a pack that is stored as it is. */
function fitsPages({ keyBytes, pageRows, isOneEncoding }: Width): boolean {
	if (!isOneEncoding) return false
	return pageRows !== null && pageRows * (keyBytes + 4) <= packedBytes
}
