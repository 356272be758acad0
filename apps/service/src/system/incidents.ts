import type { Incident, incidentListInput, incidentListOutput } from '@reprieve/contracts'
import { formatInstant, parseInstant } from '@reprieve/contracts'
import { incidents } from '@reprieve/control'
import { asc, desc, type SQL, sql } from 'drizzle-orm'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'
import { readCursor, toPage } from '../page.ts'

type Row = typeof incidents.$inferSelect

const isResolved = sql`(${incidents.resolvedAt} is not null)`

/** Incidents, open ones first, each part newest first. */
export async function listIncidents(
	services: Services,
	_principal: Principal,
	input: z.infer<typeof incidentListInput>,
): Promise<z.infer<typeof incidentListOutput>> {
	const limit = input.limit ?? 100
	const rows = await services.control.db
		.select()
		.from(incidents)
		.where(behind(readCursor(input.cursor, /^[01]~\d{1,16}~.{1,100}$/)))
		.orderBy(asc(isResolved), desc(incidents.at), asc(incidents.id))
		.limit(limit + 1)
	return toPage(rows.map(toIncident), limit, cursorOf)
}

/** A stored incident as surfaces show it. */
export function toIncident(row: Row): Incident {
	const { table, position, resolvedAt, resolvedBy, ...rest } = row
	return {
		...rest,
		table: table ?? undefined,
		position: position ?? undefined,
		resolvedAt: resolvedAt ?? undefined,
		resolvedBy: resolvedBy ?? undefined,
	}
}

/** `<0 open, 1 resolved>~<microseconds>~<id>`. */
function cursorOf({ id, at, resolvedAt }: Incident): string {
	return `${resolvedAt === undefined ? 0 : 1}~${parseInstant(at)}~${id}`
}

function behind(cursor: string | undefined): SQL | undefined {
	if (cursor === undefined) return undefined
	const [part, micros = '0', ...id] = cursor.split('~')
	const at = sql`${formatInstant(BigInt(micros))}::timestamptz`
	return sql`(${isResolved} > ${part === '1'} or (${isResolved} = ${part === '1'} and (${incidents.at} < ${at}
		or (${incidents.at} = ${at} and ${incidents.id} > ${id.join('~')}))))`
}
