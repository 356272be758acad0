import {
	type CaptureGap,
	formatPosition,
	formatTableName,
	type Restorability,
	type TableItem,
} from '@reprieve/contracts'
import { captureGaps, lineages, protectedTables } from '@reprieve/control'
import { readRestorability, restorability } from '@reprieve/postgres'
import { eq, inArray, isNull, or } from 'drizzle-orm'
import type { Services } from '../context.ts'
import { dropped } from './unprotect.ts'

/** A table by its name; `oid` is absent when it was dropped. */
export type Named = { oid: number | undefined; schema: string; name: string }

/** What surfaces show of tables, in their order: restorability, since when, gaps and archived rows. */
export async function readItems(services: Services, tables: Named[]): Promise<TableItem[]> {
	const oids = tables.flatMap((table) => table.oid ?? [])
	const [states, since, gaps, counts] = await Promise.all([
		readRestorability(services.pools.delete, oids, { lagBytes: services.limits.slotBytes }),
		readSince(services, oids),
		readGaps(services, tables.map(formatTableName)),
		Promise.all(tables.map(({ schema, name }) => services.vault.table({ schema, name }).rowCount())),
	])
	return tables.map((table, index) => {
		const name = formatTableName(table)
		const protectedSince = since.get(table.oid ?? 0)
		return {
			table: name,
			restorability: stateOf(states, table, name),
			...(protectedSince ? { protectedSince } : {}),
			gaps: gaps.filter((gap) => gap.table === undefined || gap.table === name),
			archivedRows: counts[index] ?? 0,
		}
	})
}

function stateOf(states: ReadonlyMap<number, Restorability>, table: Named, name: string): Restorability {
	return states.get(table.oid ?? 0) ?? restorability([dropped(name)])
}

async function readSince(services: Services, oids: number[]): Promise<Map<number, string | null>> {
	if (oids.length === 0) return new Map()
	const rows = await services.control.db
		.select({ oid: protectedTables.oid, since: protectedTables.protectedSince })
		.from(protectedTables)
		.where(inArray(protectedTables.oid, oids))
	return new Map(rows.map((row) => [row.oid, row.since]))
}

async function readGaps(services: Services, names: string[]): Promise<CaptureGap[]> {
	const rows = await services.control.db
		.select({ gap: captureGaps, timeline: lineages.timeline })
		.from(captureGaps)
		.leftJoin(lineages, eq(lineages.id, captureGaps.lineage))
		.where(or(isNull(captureGaps.table), names.length > 0 ? inArray(captureGaps.table, names) : undefined))
		.orderBy(captureGaps.recordedAt)
	return rows.map(({ gap, timeline }) => ({
		id: gap.id,
		...(gap.table === null ? {} : { table: gap.table }),
		...(gap.fromPosition === null ? {} : { from: formatPosition({ timeline: timeline ?? 1, lsn: gap.fromPosition }) }),
		...(gap.toPosition === null ? {} : { to: formatPosition({ timeline: timeline ?? 1, lsn: gap.toPosition }) }),
		...(gap.since === null ? {} : { since: gap.since }),
		...(gap.until === null ? {} : { until: gap.until }),
		reason: gap.reason,
	}))
}
