import { type Control, openControl } from '@reprieve/control'
import { openSessions, type Sql, watchConnections } from '@reprieve/postgres'
import { type Logger, pino } from 'pino'
import { until } from '../support/wait.ts'
import { startProxy } from './proxy.ts'

/** Pools whose connections end, and are refused from then on, when a line is logged that a test asks for. */
export type Refusing = AsyncDisposable & {
	sql: Sql
	control: Control
	log: Logger
	/** Resolves when several connections were refused; from then on they are taken again. */
	healed: Promise<void>
}

/** Refuses connections from the first line on that `strikes`. */
export async function openRefusing(
	url: string,
	strikes: (line: Record<string, unknown>) => boolean,
): Promise<Refusing> {
	await using opening = new AsyncDisposableStack()
	const proxy = opening.use(await startProxy(url))
	const sql = opening.adopt(openSessions(proxy.url, { applicationName: 'test refused' }), (one) =>
		one.end({ timeout: 5 }),
	)
	const watch = watchConnections(proxy.url)
	const control = opening.adopt(openControl(proxy.url, { watch }), (one) => one.close())
	const { promise: healed, resolve, reject } = Promise.withResolvers<void>()
	let isStruck = false
	const strike = async () => {
		isStruck = true
		const { refused, heal } = proxy.refuse()
		await until(() => refused() >= 3, 'connections to be refused')
		heal()
	}
	const write = (line: string) => {
		if (!isStruck && strikes(JSON.parse(line))) strike().then(resolve, reject)
	}
	const opened = opening.move()
	return {
		sql,
		control,
		log: pino({ level: 'info' }, { write }),
		healed,
		[Symbol.asyncDispose]: () => opened.disposeAsync(),
	}
}
