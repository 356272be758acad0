import { ReprieveError } from '@reprieve/contracts'
import { encodePart, ownFolder } from './paths.ts'
import { listRegisters, openRegister } from './register.ts'
import type { Store } from './store.ts'
import type { VaultKey, VaultLineage } from './vault.ts'

type Lease = { owner: string; expiresAt: number; ttlMs?: number }

/** Lineages with their compare-and-set: each record carries the version that it was read at. */
export function openLineages(store: Store, database: string) {
	const folder = ownFolder(database, 'lineages')
	const registerOf = (part: string) => openRegister<VaultLineage>(store, `${folder}/${part}`)
	return {
		async lineages(): Promise<VaultLineage[]> {
			const found: VaultLineage[] = []
			for (const part of await listRegisters(store, folder)) {
				const { version, value } = await registerOf(part).read()
				if (value) found.push({ ...value, version })
			}
			return found.sort((a, b) => (a.openedAt < b.openedAt ? -1 : 1))
		},
		async putLineage({ version: read = -1, ...lineage }: VaultLineage): Promise<VaultLineage> {
			await registerOf(encodePart(lineage.id)).write(read, lineage)
			return { ...lineage, version: read + 1 }
		},
	}
}

/** Capture leases, one per lineage. One that stood still for its whole time is free, whatever a clock that was set back says. */
export function openLeases(store: Store, database: string, now: () => number) {
	const seen = new Map<string, { version: number; since: number }>()
	return async (lineage: string, owner: string, ttlMs: number, { isRenewal = false } = {}): Promise<void> => {
		const register = openRegister<Lease>(store, `${ownFolder(database, 'leases')}/${encodePart(lineage)}`)
		const { version, value } = await register.read()
		const known = seen.get(lineage)
		if (known?.version !== version) seen.set(lineage, { version, since: performance.now() })
		const stoodStillMs = known?.version === version ? performance.now() - known.since : 0
		const isFree = !value || value.expiresAt <= now() || stoodStillMs > (value.ttlMs ?? ttlMs)
		if (value && value.owner !== owner && isRenewal) throw gone(lineage, value)
		if (value && value.owner !== owner && !isFree) throw held(lineage, value, now())
		await register.write(version, { owner, expiresAt: now() + ttlMs, ttlMs })
	}
}

/** Verification keys of tags and seals. */
export function openKeys(store: Store, database: string) {
	const folder = ownFolder(database, 'keys')
	return {
		async keys(): Promise<VaultKey[]> {
			const found: VaultKey[] = []
			for (const part of await listRegisters(store, folder)) {
				const { value } = await openRegister<VaultKey>(store, `${folder}/${part}`).read()
				if (value) found.push(value)
			}
			return found.sort((a, b) => (a.validFrom < b.validFrom ? -1 : 1))
		},
		async putKey(key: VaultKey): Promise<void> {
			const register = openRegister<VaultKey>(store, `${folder}/${encodePart(key.id)}`)
			await register.write((await register.read()).version, key)
		},
	}
}

function gone(lineage: string, { owner }: Lease): ReprieveError {
	return new ReprieveError('CONFLICT', `the capture lease of lineage ${lineage} ran out, and ${owner} took it`, {
		hint: 'The other capture has taken over; this one waits for its turn.',
		retryable: true,
	})
}

function held(lineage: string, { owner, expiresAt }: Lease, now: number): ReprieveError {
	const seconds = Math.ceil((expiresAt - now) / 1000)
	return new ReprieveError(
		'CONFLICT',
		`${owner} holds the capture lease of lineage ${lineage} for another ${seconds} s`,
		{
			hint: 'Stop the other capture, or wait until its lease has run out.',
			retryable: true,
		},
	)
}
