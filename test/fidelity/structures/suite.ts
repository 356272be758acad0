import { afterAll, beforeAll, describe, test } from 'vitest'
import type { PostgresVersion } from '../../support/postgres.ts'
import type { Case } from './case.ts'
import { constraints } from './constraints.ts'
import { type Ground, openGround } from './ground.ts'
import { inheritance } from './inheritance.ts'
import { partitions } from './partitions.ts'
import { build, proveRefusal, proveRuns, proveTransaction, proveWork } from './prove.ts'
import { references } from './references.ts'
import { refusals } from './refusals.ts'
import { transactions } from './transactions.ts'
import { triggers } from './triggers.ts'

const cases: Case[] = [...partitions, ...inheritance, ...references, ...constraints, ...triggers]

/** Every structure and every way to delete on one version; what went is restored in one go, and compared. */
export function proveStructures(version: PostgresVersion): void {
	const isPossible = ({ since = 15 }: { since?: number }) => version >= since
	const structures = cases.filter(isPossible)
	const works = transactions.filter(isPossible)
	describe.concurrent(`PostgreSQL ${version}`, { timeout: 180_000 }, () => {
		let ground: Ground
		beforeAll(async () => {
			ground = await openGround(version)
			await build(ground, [...structures, ...works])
		}, 240_000)
		afterAll(() => ground[Symbol.asyncDispose]())

		test.for(structures)('$name', async (structure) => {
			await proveRuns(ground, structure)
			await proveTransaction(ground, structure)
		})
		test.for(refusals.filter(isPossible))('$name', (refused) => proveRefusal(ground, refused))
		test.for(works)('$name', (work) => proveWork(ground, work))
	})
}
