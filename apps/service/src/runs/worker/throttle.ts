import type { Waiting } from '@reprieve/contracts'
import { arrayLiteral } from '@reprieve/postgres'
import type { Services } from '../../context.ts'

/** What stands between a run and its next batch, as numbers. */
export type Readings = {
	exposedBatches: number
	exposedRows: number
	/** Bytes of log that our slot holds back. */
	slotLagBytes: number
	/** The slowest physical standby. */
	replicaLagSeconds: number
	/** Sessions that wait for a lock on one of the plan's tables. */
	lockWaits: number
}

/** The most of each reading at which a batch may begin. */
export type ThrottleLimits = {
	exposureBatches: number
	exposureRows: number
	slotBytes: number
	replicaLagSeconds: number
	lockWaits: number
}

/**
 * Why a batch of `rows` does not begin now; undefined when it may. A batch larger than what is left of the window waits
 * until nothing is exposed.
 */
export function throttle(readings: Readings, limits: ThrottleLimits, rows: number): Waiting | undefined {
	if (readings.exposedBatches >= limits.exposureBatches) {
		return { reason: 'exposure', reading: readings.exposedBatches, limit: limits.exposureBatches }
	}
	if (readings.exposedRows > 0 && readings.exposedRows + rows > limits.exposureRows) {
		return { reason: 'exposure', reading: readings.exposedRows, limit: limits.exposureRows }
	}
	if (readings.slotLagBytes >= limits.slotBytes) {
		return { reason: 'slotLag', reading: readings.slotLagBytes, limit: limits.slotBytes }
	}
	if (readings.replicaLagSeconds > limits.replicaLagSeconds) {
		return { reason: 'replicaLag', reading: readings.replicaLagSeconds, limit: limits.replicaLagSeconds }
	}
	if (readings.lockWaits > limits.lockWaits) {
		return { reason: 'lockWaits', reading: readings.lockWaits, limit: limits.lockWaits }
	}
	return undefined
}

/** Takes the readings of one run. */
export async function takeReadings(services: Services, runId: string, oids: number[]): Promise<Readings> {
	const [row] = await services.control.sql<Record<keyof Readings, string>[]>`
		select (select count(*) from reprieve.batches b where b.run_id = r.id and b.archived_at is null) as "exposedBatches",
			r.deleted + r.relinked + r.collateral - r.archived as "exposedRows",
			(select coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), s.confirmed_flush_lsn)), 0) from pg_replication_slots s
				where s.slot_name = 'reprieve_' || (select oid from pg_database where datname = current_database())) as "slotLagBytes",
			(select coalesce(max(extract(epoch from p.replay_lag)), 0) from pg_stat_replication p
				where not exists (select from pg_replication_slots s where s.active_pid = p.pid and s.slot_type = 'logical'))
				as "replicaLagSeconds",
			(select count(*) from pg_locks l where not l.granted and l.locktype = 'relation'
				and l.database = (select oid from pg_database where datname = current_database())
				and l.relation = any(${arrayLiteral(oids)}::text::oid[])) as "lockWaits"
		from reprieve.runs r where r.id = ${runId}`
	return {
		exposedBatches: Number(row?.exposedBatches),
		exposedRows: Number(row?.exposedRows),
		slotLagBytes: Number(row?.slotLagBytes),
		replicaLagSeconds: Number(row?.replicaLagSeconds),
		lockWaits: Number(row?.lockWaits),
	}
}
