import postgres from 'postgres'

/** Keeps an eye on each connection of a pool; given to postgres.js as `onconnected`. */
export type ConnectionWatch = (connection: postgres.Connected) => void

/** Milliseconds between two looks at a connection that waits for an answer. */
const usualLookMs = 5_000
/** Looks without a byte before the server is asked: a quick statement costs nothing. */
const patientLooks = 2
/** Milliseconds that the server may take to say what it does. */
const patienceMs = 10_000

/**
 * Ends connections that are half open, with an error of code CONNECTION_SILENT: when the server, asked over a connection
 * of its own, says twice that it waits for us where we wait for it, or that it does not have the connection. A statement
 * that is at work, or waits for a lock, may take as long as it takes; a server that cannot be asked is believed to be at
 * work. Looks are counted, since a process that stood still has not listened either.
 */
export function watchConnections(url: string, lookMs = usualLookMs): ConnectionWatch {
	return ({ socket, backend, isWaiting }) => {
		let seen = 0
		let silent = 0
		let doubts = 0
		let isAsking = false
		const look = async () => {
			const moved = traffic(socket)
			silent = isWaiting() && moved === seen ? silent + 1 : 0
			seen = moved
			const { pid } = backend
			if (silent < patientLooks || isAsking || pid === null) return
			isAsking = true
			const isDoubted = await askAnew(url, (asked) => isForgotten(asked, pid))
			isAsking = false
			doubts = isDoubted && isWaiting() && traffic(socket) === moved ? doubts + 1 : 0
			if (doubts < 2) return
			socket.destroy(silence(pid))
			await askAnew(url, (asked) => endBackend(asked, pid))
		}
		const timer = setInterval(() => {
			if (socket.destroyed) clearInterval(timer)
			else void look()
		}, lookMs).unref()
	}
}

/** Bytes that have come and gone; what waits to be sent has not gone. */
function traffic({ bytesRead, bytesWritten, writableLength }: postgres.Connected['socket']): number {
	return bytesRead + bytesWritten - writableLength
}

/** A connection of its own, and what the server said of it. */
type Asked = { sql: postgres.Sql; connected: () => postgres.Connected | undefined }

/** Asks over a connection that is opened for it; undefined when there is no answer to be had. */
async function askAnew<T>(url: string, ask: (asked: Asked) => Promise<T>): Promise<T | undefined> {
	const { promise: late, resolve } = Promise.withResolvers<undefined>()
	const timer = setTimeout(() => resolve(undefined), patienceMs)
	let own: postgres.Connected | undefined
	const sql = postgres(url, {
		...{ max: 1, fetch_types: false, connect_timeout: patienceMs / 1000, onnotice: () => {} },
		connection: { application_name: 'reprieve watch' },
		onconnected: (connected) => {
			own = connected
		},
	})
	try {
		return await Promise.race([ask({ sql, connected: () => own }), late])
	} catch {
		return undefined
	} finally {
		clearTimeout(timer)
		await sql.end({ timeout: 0 })
	}
}

/**
 * Whether the backend waits for its client by the server's word, or is none of ours. Not known, so false, where a pooler
 * stands between that announces other numbers than the server's.
 */
async function isForgotten({ sql, connected }: Asked, pid: number): Promise<boolean> {
	const [row] = await sql<{ own: number; isForgotten: boolean }[]>`
		select pg_catalog.pg_backend_pid() as own,
			a.pid is null or coalesce(a.wait_event in ('ClientRead', 'ClientWrite'), false) as "isForgotten"
		from (select) one left join pg_catalog.pg_stat_activity a on a.pid = ${pid} and a.usename = current_user`
	return row?.isForgotten === true && row.own === connected()?.backend.pid
}

/** Its locks go with it: nobody else tells it that its client has gone. */
async function endBackend({ sql }: Asked, pid: number): Promise<void> {
	await sql`
		select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity
		where pid = ${pid} and usename = current_user and wait_event in ('ClientRead', 'ClientWrite')`
}

function silence(pid: number): Error {
	const message = `the connection to backend ${pid} is half open: no answer comes, and the server has nothing of it at work`
	return Object.assign(new Error(message), { code: 'CONNECTION_SILENT' })
}
