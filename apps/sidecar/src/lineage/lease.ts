import { ReprieveError } from '@reprieve/contracts'
import type { Vault } from '@reprieve/vault'

export type LeaseOptions = { vault: Vault; lineage: string; owner: string; ttlMs: number; signal: AbortSignal }

/** The right to archive one lineage: renewed by a timer, checked before every commit. */
export type Lease = {
	/** Throws CONFLICT when the lease may have gone to another process. */
	check(): void
	/** Lets the next capture in at once. */
	release(): Promise<void>
}

/** Waits until no other process holds the lineage. Throws UNAVAILABLE when the signal ends the wait. */
export async function takeLease(options: LeaseOptions): Promise<Lease> {
	const { vault, lineage, owner, ttlMs, signal } = options
	let heldUntil = 0
	let lost: unknown
	const renew = async () => {
		const asked = Date.now()
		await vault.lease(lineage, owner, ttlMs)
		heldUntil = asked + ttlMs
	}
	while (!(await taken(renew))) {
		if (signal.aborted) throw new ReprieveError('UNAVAILABLE', 'stopped while another capture held the lineage')
		await new Promise((resolve) => setTimeout(resolve, Math.min(1_000, ttlMs / 5)))
	}
	let renewing: Promise<void> | undefined
	const timer = setInterval(() => {
		renewing = renew().catch((error) => {
			lost = error
		})
	}, ttlMs / 3)
	return {
		check() {
			if (Date.now() < heldUntil) return
			throw new ReprieveError('CONFLICT', `the lease on lineage ${lineage} ran out ${Date.now() - heldUntil} ms ago`, {
				hint: 'Another capture may have taken over; this one waits for its turn.',
				retryable: true,
				cause: lost,
			})
		},
		async release() {
			clearInterval(timer)
			await renewing
			if (Date.now() < heldUntil) await vault.lease(lineage, owner, 0).catch(() => {})
		},
	}
}

async function taken(renew: () => Promise<void>): Promise<boolean> {
	try {
		await renew()
		return true
	} catch (error) {
		if (error instanceof ReprieveError && error.code === 'CONFLICT') return false
		throw error
	}
}
