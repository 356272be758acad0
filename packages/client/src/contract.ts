import type {
	auditListInput,
	auditListOutput,
	auditVerifyOutput,
	barrierOutput,
	changesInput,
	cleanupInput,
	driftedOutput,
	incidentListOutput,
	planListInput,
	planListOutput,
	planRowsOutput,
	policyItem,
	policyListOutput,
	previewInput,
	protectInput,
	protectOutput,
	reportOutput,
	restoreListInput,
	restoreListOutput,
	restoreStartInput,
	runListInput,
	runListOutput,
	runStartInput,
	tableListOutput,
	token,
	tokenCreateInput,
	tokenCreateOutput,
	tokenListOutput,
	undoOutput,
	unprotectInput,
	verifyOutput,
} from '@reprieve/contracts'
import type { z } from 'zod'

export type {
	Cell,
	Change,
	ErrorCode,
	Failure,
	Finding,
	Incident,
	JobStatus,
	Plan,
	PlanStatus,
	Policy,
	PolicyInput,
	Preview,
	Restorability,
	Restore,
	Role,
	Row,
	Run,
	Selection,
	Status,
	TableItem,
	Where,
} from '@reprieve/contracts'

export type Page = { limit?: number; cursor?: string }
export type ProtectInput = z.input<typeof protectInput>
export type ProtectOutput = z.output<typeof protectOutput>
export type UnprotectInput = z.input<typeof unprotectInput>
export type TableList = z.output<typeof tableListOutput>
export type NamedPolicy = z.output<typeof policyItem>
export type PolicyList = z.output<typeof policyListOutput>
export type PlanListInput = z.input<typeof planListInput>
export type PlanList = z.output<typeof planListOutput>
export type PlanRows = z.output<typeof planRowsOutput>
export type RunStartInput = z.input<typeof runStartInput>
export type RunListInput = z.input<typeof runListInput>
export type RunList = z.output<typeof runListOutput>
export type DriftedRows = z.output<typeof driftedOutput>
/** Fields of each policy kind at top level, with `reason`, `dryRun` and `idempotencyKey`. */
export type CleanupInput = { [Kind in keyof typeof cleanupInput]: z.input<(typeof cleanupInput)[Kind]> }
export type ChangesQuery = z.input<typeof changesInput>
export type Barrier = z.output<typeof barrierOutput>
export type PreviewOptions = z.input<typeof previewInput>
export type RestoreStartInput = z.input<typeof restoreStartInput>
export type RestoreListInput = z.input<typeof restoreListInput>
export type RestoreList = z.output<typeof restoreListOutput>
export type RestoreReport = z.output<typeof reportOutput>
export type Undo = z.output<typeof undoOutput>
export type Token = z.output<typeof token>
export type TokenCreateInput = z.input<typeof tokenCreateInput>
export type TokenSecret = z.output<typeof tokenCreateOutput>
export type TokenList = z.output<typeof tokenListOutput>
export type IncidentList = z.output<typeof incidentListOutput>
export type AuditListInput = z.input<typeof auditListInput>
export type AuditList = z.output<typeof auditListOutput>
export type AuditVerdict = z.output<typeof auditVerifyOutput>
export type Verdict = z.output<typeof verifyOutput>
