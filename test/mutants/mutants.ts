import { captureGuards } from './guards/capture.ts'
import { runGuards } from './guards/runs.ts'
import { vaultGuards } from './guards/vault.ts'
import type { Mutant } from './mutant.ts'

/** Every guard that is taken out in turn, in the order of the table. */
export const mutants: readonly Mutant[] = [...runGuards, ...captureGuards, ...vaultGuards]
