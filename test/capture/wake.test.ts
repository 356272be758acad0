import { expect, test } from 'vitest'
import { until } from '../support/wait.ts'
import { captureGround } from './ground.ts'

/** Milliseconds. */
const acknowledgeMs = 100

test('a transaction that arrives behind a waiting acknowledgement is archived at once', async () => {
	await using ground = await captureGround()
	const { sql, vault } = ground
	const heldBack = Promise.withResolvers<void>()
	let isHeld = false
	const transactions = {
		...vault.transactions,
		append: async (entry: Parameters<typeof vault.transactions.append>[0]) => {
			if (isHeld) await heldBack.promise
			return await vault.transactions.append(entry)
		},
	}
	await ground.start({ acknowledgeMs, heartbeatMs: 10 }, { vault: { ...vault, transactions } })
	// The first is acknowledged with its flush, the second's acknowledgement waits for the interval to pass.
	await ground.barrier()
	await ground.barrier()
	isHeld = true
	const during = ground.barrier()
	await beats(acknowledgeMs * 3)
	const behind = ground.barrier()
	const [committed] = await sql<{ lsn: string }[]>`select pg_current_wal_insert_lsn()::text as lsn`
	await until(
		async () =>
			(await sql`select from reprieve.capture_state where received >= ${committed?.lsn ?? ''}::pg_lsn - 512`).length,
		'capture to have received it',
	)
	heldBack.resolve()
	await expect(Promise.all([during, behind])).resolves.toBeDefined()

	/** Waits until the heartbeat is so much newer. */
	async function beats(ms: number): Promise<void> {
		const [now] = await sql<{ at: string }[]>`select clock_timestamp()::text as at`
		await until(
			async () =>
				(
					await sql`select from reprieve.capture_state
					where heartbeat_at > ${now?.at ?? ''}::timestamptz + ${ms} * interval '1 millisecond'`
				).length,
			'the heart to beat',
		)
	}
})
