import { quoteIdentifier } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import type { Hook } from '../catalog/triggers.ts'
import type { Suppression } from '../order/suppression.ts'

/** Keeps user triggers from firing until {@link release}; both belong to one transaction. */
export async function suppress(tx: Transaction, suppression: Suppression): Promise<void> {
	if (suppression.mode === 'replica') await tx`set local session_replication_role = replica`
	else await requireOrigin(tx)
	if (suppression.mode === 'disable') {
		for (const hook of suppression.hooks)
			await tx.unsafe(`${alter(hook)} disable trigger ${quoteIdentifier(hook.name)}`)
	}
}

/** A role or database may be set to replica: the server's own checks, which these modes count on, would be off. */
async function requireOrigin(tx: Transaction): Promise<void> {
	const [row] = await tx<{ role: string }[]>`select current_setting('session_replication_role') as role`
	if (row?.role !== 'origin') await tx`set local session_replication_role = origin`
}

/** Puts every trigger back to the state that it had; pending constraint checks are run first. */
export async function release(tx: Transaction, suppression: Suppression): Promise<void> {
	if (suppression.mode === 'replica') await tx`set local session_replication_role = origin`
	await tx`set constraints all immediate`
	if (suppression.mode !== 'disable') return
	for (const hook of suppression.hooks)
		await tx.unsafe(`${alter(hook)} enable ${states[hook.enabled]}${quoteIdentifier(hook.name)}`)
}

const states: Record<Hook['enabled'], string> = { O: 'trigger ', R: 'replica trigger ', A: 'always trigger ' }

function alter(hook: Hook): string {
	return `alter table only ${hook.relation}`
}
