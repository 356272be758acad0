import { answer, type Raw } from './connect.ts'
import type { AuditList, AuditListInput, AuditVerdict } from './contract.ts'

/** The hash-chained record of every privileged act. */
export type Audit = {
	list(input?: AuditListInput): Promise<AuditList>
	/** Recomputes the chain. */
	verify(): Promise<AuditVerdict>
}

/** The audit's calls over a raw client. */
export function auditOf(trpc: Raw): Audit {
	return {
		list: (input = {}) => answer(trpc.audit.list.query(input)),
		verify: () => answer(trpc.audit.verify.query({})),
	}
}
