import type { Status } from '@reprieve/contracts'
import { formatLsn } from '@reprieve/contracts'
import { captureState, incidents } from '@reprieve/control'
import { desc, isNull } from 'drizzle-orm'
import type { Services } from '../context.ts'
import { version } from '../version.ts'
import { toIncident } from './incidents.ts'

/** Capture that has not written its heartbeat for so long is counted as stopped. */
const staleMs = 30_000

/** Where capture and archive stand, and what stands in the way. Open incidents come newest first, at most 100. */
export async function systemStatus(services: Services): Promise<Status> {
	const { db } = services.control
	const [capture] = await db.select().from(captureState)
	const open = await db
		.select()
		.from(incidents)
		.where(isNull(incidents.resolvedAt))
		.orderBy(desc(incidents.at))
		.limit(100)
	const readings = await readServer(services)
	const silentMs = capture ? services.clock.now().getTime() - Date.parse(capture.heartbeatAt) : 0
	const state = !capture || silentMs > staleMs ? 'stopped' : capture.state
	const isBehind = readings.slotLagBytes > services.limits.slotBytes / 4
	return {
		status: state === 'stopped' ? 'stopped' : open.length > 0 || isBehind || state !== 'streaming' ? 'degraded' : 'ok',
		capture: {
			state,
			slot: readings.slot,
			lagBytes: readings.slotLagBytes,
			received: position(capture?.received),
			archived: position(capture?.archived),
			acknowledged: position(capture?.acknowledged),
		},
		archive: {
			lagMs: readings.archiveLagMs + (state === 'stopped' ? silentMs : 0),
			exposure: readings.exposure,
		},
		incidents: open.map(toIncident),
		versions: { reprieve: version, postgresql: readings.postgresql, node: process.versions.node },
	}
}

type Readings = { slot: string; slotLagBytes: number; archiveLagMs: number; exposure: number; postgresql: string }

async function readServer(services: Services): Promise<Readings> {
	const [row] = await services.control.sql<Readings[]>`
		select 'reprieve_' || d.oid as slot, current_setting('server_version') as postgresql,
			coalesce((select pg_wal_lsn_diff(pg_current_wal_lsn(), s.confirmed_flush_lsn)::float8
				from pg_replication_slots s where s.slot_name = 'reprieve_' || d.oid), 0) as "slotLagBytes",
			coalesce((select (extract(epoch from r.archived_at - r.committed_at) * 1000)::float8 from reprieve.receipts r
				order by r.timeline desc, r.position desc limit 1), 0) as "archiveLagMs",
			(select coalesce(sum(b.deleted), 0)::float8 from reprieve.batches b where b.archived_at is null) as exposure
		from pg_database d where d.datname = current_database()`
	return row as Readings
}

function position(lsn: bigint | null | undefined): string | undefined {
	return lsn === null || lsn === undefined ? undefined : formatLsn(lsn)
}
