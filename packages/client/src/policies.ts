import { answer, type Raw } from './connect.ts'
import type { NamedPolicy, Page, PolicyInput, PolicyList } from './contract.ts'

/** Policies kept by name; each put makes a new version. */
export type Policies = {
	put(name: string, policy: PolicyInput): Promise<NamedPolicy>
	/** The newest version when none is given. */
	get(name: string, version?: number): Promise<NamedPolicy>
	list(page?: Page): Promise<PolicyList>
}

/** The policies' calls over a raw client. */
export function policiesOf(trpc: Raw): Policies {
	return {
		put: (name, policy) => answer(trpc.policies.put.mutate({ name, policy })),
		get: (name, version) => answer(trpc.policies.get.query({ name, version })),
		list: (page = {}) => answer(trpc.policies.list.query(page)),
	}
}
