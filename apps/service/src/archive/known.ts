import { ReprieveError } from '@reprieve/contracts'
import type { Vault } from '@reprieve/vault'
import type { Services } from '../context.ts'

/** The lineage that a vault was last seen to have. It never forgets one. */
const known = new WeakMap<Vault, string>()

/**
 * Throws VAULT_UNAVAILABLE when the service's vault is not the one that capture writes: an empty answer from it would be
 * taken for nothing having been archived. A lineage that has acknowledged nothing yet may be on its way to the vault.
 */
export async function requireKnownVault({ control, vault }: Services): Promise<void> {
	const [open] = await control.sql<{ id: string }[]>`
		select id from reprieve.lineages where closed_at is null and nonce is not null`
	if (!open || known.get(vault) === open.id) return
	const lineages = await vault.lineages()
	if (!lineages.some(({ id }) => id === open.id)) throw unknown(open.id)
	known.set(vault, open.id)
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
