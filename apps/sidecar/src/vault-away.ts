import { ReprieveError } from '@reprieve/contracts'

/** Whether the vault could not be reached, rather than refused. */
export function isVaultAway(error: unknown): boolean {
	return error instanceof ReprieveError && error.code === 'VAULT_UNAVAILABLE'
}
