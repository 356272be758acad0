import { answer, type Raw } from './connect.ts'
import type { Status, Verdict } from './contract.ts'

/** The service as a whole. */
export type System = {
	status(): Promise<Status>
	/** Reads the vault's objects and compares their digests; one table's when named. */
	verify(table?: string): Promise<Verdict>
}

/** The system's calls over a raw client. */
export function systemOf(trpc: Raw): System {
	return {
		status: () => answer(trpc.system.status.query({})),
		verify: (table) => answer(trpc.system.verify.query({ table })),
	}
}
