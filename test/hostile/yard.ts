import type { Plan, Preview, Restore, Role, Run } from '@reprieve/contracts'
import { freshDatabase, type TestDatabase } from '../support/postgres.ts'
import { type Answer, startTestService, type TestService } from '../surfaces/support.ts'

/** A served database with two protected tables, and the calls that hostile tests make over REST. */
export type Yard = AsyncDisposable & {
	database: TestDatabase
	service: TestService
	post<T = Record<string, unknown>>(
		path: string,
		body?: unknown,
		key?: string,
		idempotency?: string,
	): Promise<Answer<T>>
	get<T = Record<string, unknown>>(path: string, key?: string): Promise<Answer<T>>
	/** A plan over customers whose id is in the range. */
	plan(from: number, to: number): Promise<Plan>
	/** Runs a plan to its end. */
	run(plan: Plan): Promise<Run>
	/** Previews and restores a run to its end. */
	restore(run: string): Promise<Restore>
	keyFor(role: Role, tables?: string[]): Promise<string>
}

const schema = `
	create table public.customers (id int primary key, name text not null);
	create table public.secrets (id int primary key, note text);
	insert into public.customers select n, 'customer ' || n from generate_series(1, 1000) n;
	insert into public.secrets select n, 'note ' || n from generate_series(1, 10) n`

export async function openYard(limits: { approvalRows?: number } = {}): Promise<Yard> {
	const database = await freshDatabase()
	await database.sql.unsafe(schema).simple()
	const service = await startTestService(database, { capture: true, ...limits })
	const post: Yard['post'] = (path, body = {}, key, idempotency) =>
		service.call('POST', path, body, { key, headers: idempotency ? { 'idempotency-key': idempotency } : {} })
	const get: Yard['get'] = (path, key) => service.call('GET', path, undefined, { key })
	const whole = <T>({ status, body }: Answer<T>): T => {
		if (status >= 300) throw new Error(JSON.stringify(body))
		return body
	}
	whole(await post('/api/v1/tables/protect?wait=60', { tables: ['customers', 'secrets'] }))
	return {
		database,
		service,
		post,
		get,
		keyFor: service.keyFor,
		async plan(from, to) {
			const where = {
				and: [
					{ column: 'id', op: 'gte', value: from },
					{ column: 'id', op: 'lte', value: to },
				],
			}
			return whole(await post<Plan>('/api/v1/plans', { policy: { kind: 'match', table: 'customers', where } }))
		},
		async run(plan) {
			const { id } = whole(await post<Run>('/api/v1/runs', { planId: plan.id, reason: 'test' }))
			return whole(await get<Run>(`/api/v1/runs/${id}?wait=60`))
		},
		async restore(run) {
			const selection = { run }
			const { hash } = whole(await post<Preview>('/api/v1/restores/preview', { selection }))
			const { id } = whole(await post<Restore>('/api/v1/restores', { selection, hash, reason: 'test' }))
			return whole(await get<Restore>(`/api/v1/restores/${id}?wait=60`))
		},
		async [Symbol.asyncDispose]() {
			await service[Symbol.asyncDispose]()
			await database[Symbol.asyncDispose]()
		},
	}
}
