import { answer, type Raw } from './connect.ts'
import type { CleanupInput, Plan, Run } from './contract.ts'
import type { RunJob, Runs } from './runs.ts'

type Kind = keyof CleanupInput
/** A policy from `@reprieve/client/drizzle` names its kind; the call does too. */
type Fields<K extends Kind> = CleanupInput[K] & { kind?: K }

/** One of the one-call forms: the run, or the plan alone when `dryRun`. */
type CleanupCall<K extends Kind> = {
	(input: Fields<K> & { dryRun: true }): Promise<Plan>
	(input: Fields<K> & { dryRun?: false }): Promise<RunJob>
}

/** Plan and run in one call. Throws APPROVAL_REQUIRED with `planId` where another's consent is needed. */
export type Cleanup = { [K in Kind]: CleanupCall<K> }

/** The one-call forms over a raw client. */
export function cleanupOf(trpc: Raw, runs: Runs): Cleanup {
	const form = <K extends Kind>(send: (input: CleanupInput[K]) => Promise<Run | Plan>) =>
		(async ({ kind: _, ...input }: Fields<K>) => {
			const made = await answer(send(input as unknown as CleanupInput[K]))
			return 'planId' in made ? runs.follow(made.id) : made
		}) as CleanupCall<K>
	return {
		duplicates: form<'duplicates'>((input) => trpc.cleanup.duplicates.mutate(input)),
		stale: form<'stale'>((input) => trpc.cleanup.stale.mutate(input)),
		orphans: form<'orphans'>((input) => trpc.cleanup.orphans.mutate(input)),
		incomplete: form<'incomplete'>((input) => trpc.cleanup.incomplete.mutate(input)),
		match: form<'match'>((input) => trpc.cleanup.match.mutate(input)),
	}
}
