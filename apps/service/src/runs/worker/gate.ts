import { type Finding, ReprieveError } from '@reprieve/contracts'
import { closureHash, readChangedNames, readGate, type Transaction } from '@reprieve/postgres'
import { BatchFinding } from './finding.ts'
import type { RunShape } from './shape.ts'

/** Findings that pass when capture and upkeep go on: a run waits for them instead of failing. */
const passing: ReadonlySet<string> = new Set([
	'slotInactive',
	'captureStopped',
	'captureBroken',
	'captureNotPermitted',
	'captureLag',
	'safeWalSize',
	'pending',
	'newPartition',
])

/** The gate is closed for now; the run waits. */
export class GateClosed extends ReprieveError {
	readonly findings: Finding[]

	constructor(findings: Finding[]) {
		super('UNAVAILABLE', findings.map((finding) => finding.message).join('; '))
		this.findings = findings
	}
}

/**
 * Takes ROW EXCLUSIVE on the plan's tables and then reads the gate: reading first leaves room for an ALTER TABLE in
 * between. Throws {@link GateClosed}, or {@link BatchFinding} when waiting would not help.
 */
export async function lockAndReadGate(tx: Transaction, shape: RunShape): Promise<void> {
	const tables = [...new Set(shape.tables.map((table) => table.source))]
	await tx.unsafe(`lock table ${tables.join(', ')} in row exclusive mode`)
	// A rename needs more than that, so names mean the same until the end.
	const read = [...new Set(shape.read.map((table) => table.name))]
	if (read.length > 0) await tx.unsafe(`lock table ${read.join(', ')} in access share mode`)
	await requireOpenGate(tx, shape.oids)
	await requireSameNames(tx, shape)
	const hash = await closureHash(tx, shape.oids)
	if (hash === shape.body.closureHash) return
	throw new BatchFinding(
		'PLAN_DRIFTED',
		`the foreign keys, triggers and rules of the plan's tables are ${hash}, the plan saw ${shape.body.closureHash}`,
		{ hint: 'Make a new plan.' },
	)
}

async function requireSameNames(tx: Transaction, { tables, read, body }: RunShape): Promise<void> {
	const planned = tables.map((table) => ({ oid: table.planned.oid, name: table.source }))
	const changed = await readChangedNames(tx, { tables: [...planned, ...read], columns: body.columns })
	if (changed.length === 0) return
	throw new BatchFinding(
		'SCHEMA_DRIFT',
		`${changed.join(', ')} means another table or column than when it was planned`,
		{
			hint: 'Make a new plan.',
		},
	)
}

/** Reads the gate of the tables. Throws as {@link lockAndReadGate}. */
export async function requireOpenGate(tx: Transaction, oids: number[]): Promise<void> {
	const findings = await readGate(tx, oids)
	if (findings.length === 0) return
	if (findings.every((finding) => passing.has(finding.code))) throw new GateClosed(findings)
	const lasting = findings.filter((finding) => !passing.has(finding.code))
	throw new BatchFinding('NOT_RESTORABLE', lasting.map((finding) => finding.message).join('; '), {
		hint: lasting[0]?.remedy,
	})
}
