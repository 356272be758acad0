import type { RunThrottle, Waiting } from '@reprieve/contracts'
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
	/** Vacuums and other upkeep at work on one of the plan's tables. */
	vacuums: number
	/** Until the run's window opens. */
	secondsToWindow: number
	rowsPerSecond: number
	/** What the cluster may write a second, and what it wrote beyond. */
	logBytesPerSecond: number
}

/** The most of each reading at which a batch may begin. */
export type ThrottleLimits = {
	exposureBatches: number
	exposureRows: number
	slotBytes: number
	replicaLagSeconds: number
	lockWaits: number
	rowsPerSecond: number
	logBytesPerSecond: number
	vacuums: number
}

type OwnLimits = Pick<ThrottleLimits, 'rowsPerSecond' | 'logBytesPerSecond' | 'vacuums'>

/** The limits that a run was started with; what it was not asked to leave to others is without one. */
export function limitsOf({
	rowsPerSecond = Number.POSITIVE_INFINITY,
	logBytesPerSecond = Number.POSITIVE_INFINITY,
	waitForVacuum = false,
}: RunThrottle): OwnLimits {
	return { rowsPerSecond, logBytesPerSecond, vacuums: waitForVacuum ? 0 : Number.POSITIVE_INFINITY }
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
	if (readings.secondsToWindow > 0) return { reason: 'window', reading: readings.secondsToWindow, limit: 0 }
	const beyond = upTo.find(([, key]) => readings[key] > limits[key])
	if (beyond) return { reason: beyond[0], reading: readings[beyond[1]], limit: limits[beyond[1]] }
	const rate = rates.find((key) => readings[key] > limits[key])
	return rate && { reason: rate, reading: roundedUp(readings[rate]), limit: limits[rate] }
}

/** To two digits: a rate falls while it is waited for, and each other reading is written down. */
function roundedUp(reading: number): number {
	const unit = 10 ** Math.max(0, Math.floor(Math.log10(reading)) - 1)
	return Math.ceil(reading / unit) * unit
}

const rates = ['rowsPerSecond', 'logBytesPerSecond'] as const

/** Reasons to wait for a reading that is above its limit. */
const upTo = [
	['replicaLag', 'replicaLagSeconds'],
	['lockWaits', 'lockWaits'],
	['vacuum', 'vacuums'],
] as const

/** What the database says of a run, and how far its log has come. */
export type Taken = Omit<Readings, 'rowsPerSecond' | 'logBytesPerSecond' | 'secondsToWindow'> & { logBytes: number }

/** Takes the readings of one run. */
export async function takeReadings(services: Services, runId: string, oids: number[]): Promise<Taken> {
	const [row] = await services.control.sql<Record<keyof Taken, string>[]>`
		select (select count(*) from reprieve.batches b where b.run_id = r.id and b.archived_at is null) as "exposedBatches",
			r.deleted + r.relinked + r.collateral - r.archived as "exposedRows",
			(select coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), s.confirmed_flush_lsn)), 0) from pg_replication_slots s
				where s.slot_name = 'reprieve_' || (select oid from pg_database where datname = current_database())) as "slotLagBytes",
			(select coalesce(max(extract(epoch from p.replay_lag)), 0) from pg_stat_replication p
				where not exists (select from pg_replication_slots s where s.active_pid = p.pid and s.slot_type = 'logical'))
				as "replicaLagSeconds",
			l.waits as "lockWaits", l.vacuums, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') as "logBytes"
		from reprieve.runs r, lateral (
			select count(*) filter (where not granted) as waits,
				count(*) filter (where granted and mode = 'ShareUpdateExclusiveLock') as vacuums
			from pg_locks where locktype = 'relation' and relation = any(${arrayLiteral(oids)}::text::oid[])
				and database = (select oid from pg_database where datname = current_database())) l
		where r.id = ${runId}`
	return {
		exposedBatches: Number(row?.exposedBatches),
		exposedRows: Number(row?.exposedRows),
		slotLagBytes: Number(row?.slotLagBytes),
		replicaLagSeconds: Number(row?.replicaLagSeconds),
		lockWaits: Number(row?.lockWaits),
		vacuums: Number(row?.vacuums),
		logBytes: Number(row?.logBytes),
	}
}
