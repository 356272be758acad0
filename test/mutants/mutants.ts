import { captureGuards } from './guards/capture.ts'
import { kafkaGuards } from './guards/kafka.ts'
import { promotionGuards } from './guards/promotion.ts'
import { protectGuards } from './guards/protect.ts'
import { restoreGuards } from './guards/restore.ts'
import { runGuards } from './guards/runs.ts'
import { serviceGuards } from './guards/service.ts'
import { vaultGuards } from './guards/vault.ts'
import type { Mutant } from './mutant.ts'

/** Every guard that is taken out in turn, in the order of the table. */
export const mutants: readonly Mutant[] = [
	...protectGuards,
	...runGuards,
	...captureGuards,
	...promotionGuards,
	...kafkaGuards,
	...vaultGuards,
	...restoreGuards,
	...serviceGuards,
]
