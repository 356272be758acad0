import { ReprieveError } from '@reprieve/contracts'
import type { Vault } from '@reprieve/vault'
import type { Services } from '../context.ts'

/** Lineages that a vault was seen to have. It never forgets one. */
const known = new WeakMap<Vault, Set<string>>()

/**
 * Throws VAULT_UNAVAILABLE when the service's vault is not the one that capture writes: an empty answer from it would be
 * taken for nothing having been archived. A lineage that has acknowledged nothing yet may be on its way to the vault.
 */
export async function requireKnownVault({ control, vault }: Services): Promise<void> {
	const [open] = await control.sql<{ id: string }[]>`
		select id from reprieve.lineages where closed_at is null and nonce is not null`
	const seen = known.get(vault) ?? new Set()
	if (!open || seen.has(open.id)) return
	const lineages = await vault.lineages()
	if (!lineages.some(({ id }) => id === open.id)) throw unknown(open.id)
	known.set(vault, seen.add(open.id))
}

function unknown(lineage: string): ReprieveError {
	return new ReprieveError(
		'VAULT_UNAVAILABLE',
		`the vault that the service reads knows nothing of lineage ${lineage}, to which the database belongs`,
		{
			hint: 'REPRIEVE_VAULT must name the same vault for the service and for the sidecar, and its folder must be mounted; then start the service again.',
		},
	)
}
