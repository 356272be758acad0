import { answer, type Raw } from './connect.ts'
import type { Incident, IncidentList, Page, Status, Verdict } from './contract.ts'

/** The service as a whole. */
export type System = {
	status(): Promise<Status>
	/** Open ones first. */
	incidents(page?: Page): Promise<IncidentList>
	/** Says that an incident was dealt with; one that stopped capture is resolved by adopting alone. */
	resolveIncident(id: string, reason: string): Promise<Incident>
	/** Reads the vault's objects and compares their digests; one table's when named. */
	verify(table?: string): Promise<Verdict>
}

/** The system's calls over a raw client. */
export function systemOf(trpc: Raw): System {
	return {
		status: () => answer(trpc.system.status.query({})),
		incidents: (page = {}) => answer(trpc.system.incidents.query(page)),
		resolveIncident: (id, reason) => answer(trpc.system.resolveIncident.mutate({ id, reason })),
		verify: (table) => answer(trpc.system.verify.query({ table })),
	}
}
