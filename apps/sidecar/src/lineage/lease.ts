import { ReprieveError } from '@reprieve/contracts'
import type { Vault } from '@reprieve/vault'
import { type Clock, systemClock } from '../clock.ts'

export type LeaseOptions = {
	vault: Pick<Vault, 'lease'>
	lineage: string
	owner: string
	ttlMs: number
	clock?: Clock
	signal: AbortSignal
	/** Told once, with who has it, when another process holds the lineage. */
	onWait?: (held: unknown) => void
}

/** The right to archive one lineage: renewed by a timer, checked before every commit, by a clock that nobody sets. */
export type Lease = {
	/**
	 * Throws CONFLICT when the lease may have gone to another process. One that ran out, since this process stood still, is
	 * renewed unless another has had it.
	 */
	check(): Promise<void>
	/** Whether it is held for certain. */
	isHeld(): boolean
	/** Throws CONFLICT when it is known to have gone; not while the vault that would say so cannot be reached. */
	checkTaken(): void
	/** Lets the next capture in at once. */
	release(): Promise<void>
}

/** Waits until no other process holds the lineage. Throws UNAVAILABLE when the signal ends the wait. */
export async function takeLease(options: LeaseOptions): Promise<Lease> {
	const { vault, lineage, owner, ttlMs, clock = systemClock, signal } = options
	let heldUntil = Number.NEGATIVE_INFINITY
	let lost: unknown
	const take = async (isRenewal = false) => {
		const asked = clock.now()
		await vault.lease(lineage, owner, ttlMs, { isRenewal })
		heldUntil = asked + ttlMs
	}
	for (let held = await refusal(take), waits = 0; held; held = await refusal(take), waits++) {
		if (waits === 0) options.onWait?.(held)
		if (signal.aborted) throw new ReprieveError('UNAVAILABLE', 'stopped while another capture held the lineage')
		await new Promise<void>((resolve) => clock.after(Math.min(1_000, ttlMs / 5), resolve))
	}
	let renewing: Promise<void> | undefined
	/** One at a time: two would be in each other's way. What has gone to another is not asked for again. */
	const renew = () => {
		if (isConflict(lost)) return Promise.resolve()
		renewing ??= take(true)
			.then(
				() => {
					lost = undefined
				},
				(error) => {
					lost = error
					if (isConflict(error)) heldUntil = Number.NEGATIVE_INFINITY
				},
			)
			.finally(() => {
				renewing = undefined
			})
		return renewing
	}
	const ranOut = () =>
		new ReprieveError('CONFLICT', `the lease on lineage ${lineage} ran out or went to another capture`, {
			hint: 'Another capture may have taken over; this one waits for its turn.',
			retryable: true,
			cause: lost,
		})
	const end = clock.every(ttlMs / 3, () => void renew())
	return {
		async check() {
			if (clock.now() >= heldUntil) await renew()
			// That one may have been under way when this process stood still: what it got has run out too.
			if (clock.now() >= heldUntil) await renew()
			if (clock.now() >= heldUntil) throw ranOut()
		},
		isHeld: () => clock.now() < heldUntil,
		checkTaken() {
			if (isConflict(lost)) throw ranOut()
		},
		async release() {
			end()
			await renewing
			if (clock.now() < heldUntil) await vault.lease(lineage, owner, 0).catch(() => {})
		},
	}
}

/** The CONFLICT that says who holds the lineage; undefined when it is taken. */
async function refusal(take: () => Promise<void>): Promise<unknown> {
	try {
		await take()
		return undefined
	} catch (error) {
		if (isConflict(error)) return error
		throw error
	}
}

export function isConflict(error: unknown): boolean {
	return error instanceof ReprieveError && error.code === 'CONFLICT'
}
