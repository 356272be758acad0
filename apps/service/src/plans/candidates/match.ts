import type { Policy } from '@reprieve/contracts'
import { type CandidateContext, type Candidates, matchingRows } from './candidates.ts'

/** Rows for which the predicate is true. */
export function matchCandidates(policy: Extract<Policy, { kind: 'match' }>, context: CandidateContext): Candidates {
	return matchingRows(context, { text: 'true', params: [] }, { where: policy.where })
}
