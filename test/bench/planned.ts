import type { Client } from '@reprieve/client'

type Policy = Parameters<Client['plans']['create']>[0]

/** Makes a plan of exactly so many rows that can be run; answers its id. */
export async function planRows(client: Client, policy: Policy, rows: number): Promise<string> {
	const plan = await client.plans.create(policy)
	if (plan.status !== 'ready' || plan.rows !== rows) throw new Error(`${plan.status} with ${plan.rows} of ${rows} rows`)
	return plan.id
}
