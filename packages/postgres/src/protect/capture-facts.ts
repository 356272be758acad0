import type { Finding } from '@reprieve/contracts'
import type { Session } from '../session.ts'
import { debeziumShape, publications } from './publications.ts'

/** What the server and the control schema say about capture at one moment. */
export type CaptureFacts = {
	slot: {
		name: string
		plugin: string
		isActive: boolean
		isTemporary: boolean
		walStatus: string
		/** Bytes of log that may still be written before the slot may be lost; null: no limit. */
		safeWalBytes: number | null
		/** Bytes of log between the slot's confirmed position and the log's end. */
		lagBytes: number
	} | null
	capture: { state: string; heartbeatAgeMs: number; findings: Finding[] } | null
	/** Changes reach the vault through Debezium's connector. */
	isDebezium: boolean
	/** Our publications that do not publish what they should, or are absent. */
	wrongPublications: string[]
	incidents: { code: string; message: string; remedy: string; table: string | null; stopsCapture: boolean }[]
}

/** Where the gate closes; bytes and milliseconds. */
export type CaptureLimits = { heartbeatAgeMs: number; safeWalBytes: number; lagBytes: number }

/**
 * A silent capture is noticed after 30 s. Below 64 MiB of safe log one batch could cost the slot. The lag is bounded
 * by what the slot may hold back.
 */
export const captureLimits: CaptureLimits = {
	heartbeatAgeMs: 30_000,
	safeWalBytes: 64 * 1024 * 1024,
	lagBytes: 16 * 1024 * 1024 * 1024,
}

/** SQL of a json value that holds {@link CaptureFacts}, for use in one round trip with others. */
export function captureFacts(sql: Session) {
	return sql`json_build_object(
		'slot', (
			select json_build_object('name', s.slot_name, 'plugin', s.plugin, 'isActive', s.active,
				'isTemporary', s.temporary, 'walStatus', s.wal_status, 'safeWalBytes', s.safe_wal_size,
				'lagBytes', case when s.confirmed_flush_lsn is null then 0
					else greatest(0, pg_wal_lsn_diff(pg_current_wal_lsn(), s.confirmed_flush_lsn)) end)
			from pg_replication_slots s
			where s.slot_name = coalesce((select l.slot from reprieve.lineages l where l.closed_at is null),
				'reprieve_' || (select oid from pg_database where datname = current_database()))),
		'isDebezium', ${isDebezium(sql)},
		'capture', (
			select json_build_object('state', c.state, 'findings', c.findings, 'heartbeatAgeMs',
				round(extract(epoch from clock_timestamp() - c.heartbeat_at) * 1000))
			from reprieve.capture_state c where c.id = 1),
		'wrongPublications', (
			select coalesce(json_agg(w.name), '[]') from (values
				(${publications.deletes.name}, false, false, true, true),
				(${publications.relinks.name}, false, true, false, false),
				(${publications.moves.name}, true, false, false, false),
				(${debeziumShape.name}, true, true, true, true)) w(name, inserts, updates, deletes, truncates)
			where (w.name <> ${debeziumShape.name} or ${isDebezium(sql)}) and not exists (
				select from pg_publication p where p.pubname = w.name and not p.pubviaroot and not p.puballtables
					and (p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate) = (w.inserts, w.updates, w.deletes, w.truncates)
					and coalesce(to_jsonb(p)->>'pubgencols', 's') = 's')),
		'incidents', (
			select coalesce(json_agg(json_build_object('code', i.code, 'message', i.message, 'remedy', i.remedy,
				'table', i."table", 'stopsCapture', i.stops_capture) order by i.at), '[]')
			from reprieve.incidents i where i.resolved_at is null))`
}

/** SQL of whether the open lineage's changes come through Debezium. */
export function isDebezium(sql: Session) {
	return sql`exists (select from reprieve.lineages l where l.closed_at is null and l.channel = 'debezium')`
}

/** Findings that close every table's gate; empty when capture streams. Incidents of single tables are not among them. */
export function captureFindings(facts: CaptureFacts, changed: Partial<CaptureLimits> = {}): Finding[] {
	const limits = { ...captureLimits, ...changed }
	return [
		...slotFindings(facts.slot, limits),
		...heartbeatFindings(facts.capture, limits),
		...(facts.capture?.findings ?? []),
		...facts.wrongPublications.map((name) => ({
			code: 'publicationAltered',
			message: `publication ${name} is absent or does not publish what it should`,
			remedy: 'Protect any table again: that puts the publications right and records the gap.',
		})),
		...facts.incidents
			.filter((incident) => incident.stopsCapture || incident.table === null)
			.map((incident) => incidentFinding(incident)),
	]
}

/** The finding that an open incident makes. */
export function incidentFinding(incident: CaptureFacts['incidents'][number]): Finding {
	return {
		code: 'incident',
		...(incident.table === null ? {} : { table: incident.table }),
		message: `an incident is open (${incident.code}): ${incident.message}`,
		remedy: incident.remedy,
	}
}

function slotFindings(slot: CaptureFacts['slot'], limits: CaptureLimits): Finding[] {
	if (!slot) return [{ code: 'slotMissing', message: 'the replication slot does not exist', remedy: startCapture }]
	if (slot.plugin !== 'pgoutput' || slot.isTemporary) {
		const kind = slot.isTemporary ? 'temporary' : slot.plugin
		return [
			{
				code: 'slotForeign',
				message: `slot ${slot.name} is ${kind}, not a permanent pgoutput slot`,
				remedy: 'Drop that slot, then start the sidecar.',
			},
		]
	}
	if (slot.walStatus !== 'reserved' && slot.walStatus !== 'extended') {
		return [
			{
				code: 'slotLost',
				message: `slot ${slot.name} has wal_status ${slot.walStatus}: log that was not archived may be gone`,
				remedy:
					'Raise max_slot_wal_keep_size. Capture goes on with a new slot and records the gap; then resolve its incident (`pnpm reprieve incidents`).',
			},
		]
	}
	const findings: Finding[] = []
	if (!slot.isActive) {
		findings.push({ code: 'slotInactive', message: `nobody reads slot ${slot.name}`, remedy: startCapture })
	}
	if (slot.safeWalBytes !== null && slot.safeWalBytes < limits.safeWalBytes) {
		findings.push({
			code: 'safeWalSize',
			message: `${slot.safeWalBytes} bytes of log until the slot may be lost, ${limits.safeWalBytes} are needed`,
			remedy: 'Raise max_slot_wal_keep_size (or set it to -1), or let capture catch up.',
		})
	}
	if (slot.lagBytes > limits.lagBytes) {
		findings.push({
			code: 'captureLag',
			message: `capture is ${slot.lagBytes} bytes behind, ${limits.lagBytes} are allowed`,
			remedy: 'Wait until capture has caught up; look at the vault if it does not.',
		})
	}
	return findings
}

function heartbeatFindings(capture: CaptureFacts['capture'], limits: CaptureLimits): Finding[] {
	if (capture && capture.state === 'streaming' && capture.heartbeatAgeMs <= limits.heartbeatAgeMs) return []
	const message = !capture
		? 'capture has never run on this database'
		: capture.state !== 'streaming'
			? `capture is ${capture.state}`
			: `capture was last heard of ${capture.heartbeatAgeMs} ms ago, ${limits.heartbeatAgeMs} are allowed`
	return [{ code: 'captureStopped', message, remedy: startCapture }]
}

const startCapture = 'Start the sidecar (or look at its log, if it runs).'
