import type { Policy } from '@reprieve/contracts'
import type { CandidateContext, Candidates } from './candidates.ts'
import { duplicateCandidates } from './duplicates.ts'
import { incompleteCandidates } from './incomplete.ts'
import { matchCandidates } from './match.ts'
import { orphanCandidates } from './orphans.ts'
import { staleCandidates } from './stale.ts'

/** The rows that a policy matches, as SQL. Throws INVALID, NOT_FOUND or LIMIT_EXCEEDED. */
export async function compileCandidates(policy: Policy, context: CandidateContext): Promise<Candidates> {
	switch (policy.kind) {
		case 'duplicates':
			return duplicateCandidates(policy, context)
		case 'stale':
			return staleCandidates(policy, context)
		case 'orphans':
			return orphanCandidates(policy, context)
		case 'incomplete':
			return incompleteCandidates(policy, context)
		case 'match':
			return matchCandidates(policy, context)
	}
}
