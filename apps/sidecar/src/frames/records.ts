import type { CaptureIncident } from '@reprieve/contracts'
import type { Receipted } from '../archive/record.ts'
import type { Lane } from './brokers.ts'
import type { MissingRange } from './partition.ts'

/** A range that no frame brings any more. No table: receipts themselves are missing, of every table. */
export type LostFrames = { lineage: string; what: string; table?: string; range: MissingRange }

/** What archivers tell the gate and the operators, beside the vault. */
export interface Records {
	/** Copies receipts, with what is wrong about their transactions; `archived` moves forward alone. Idempotent. */
	receipts(transactions: Receipted[], at: { lineage: string; archived: bigint }): Promise<void>
	/** Position up to which receipts were surely copied. */
	copied(lineage: string): Promise<bigint>
	/** Records an incident as of now, also one that was resolved before. */
	raise(incident: CaptureIncident): Promise<void>
	/** A lane is read to its end: resolves what said that it lacks frames, or that reading stands. Answers how many were. */
	resolve(lane: Lane): Promise<number>
	/** Records a range that is lost, once. */
	lose(lost: LostFrames): Promise<void>
}
