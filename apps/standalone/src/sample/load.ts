import postgres from 'postgres'
import { activity } from './activity.ts'
import { curiosities } from './curiosities.ts'
import { goods } from './goods.ts'
import { joiningKeys, lineKeys, orderKeys, paymentKeys, peopleKeys, statistics } from './keys.ts'
import { people } from './people.ts'
import { schema } from './schema.ts'
import { functions, type SampleSize } from './seed.ts'
import { lines, trade } from './trade.ts'

/** Tables that hold the sample; partitions follow their root. */
export const sampleTables = [
	'employees',
	'categories',
	'products',
	'customers',
	'addresses',
	'orders',
	'order_lines',
	'payments',
	'sessions',
	'curiosities',
] as const

/**
 * Makes the sample database `name` unless it stands. Filled under another name and renamed when whole, so that a
 * killed load is redone from the start. Answers whether it was made now.
 */
export async function loadSample(clusterUrl: string, name: string, size: SampleSize): Promise<boolean> {
	const admin = postgres(clusterUrl, { max: 1, onnotice: () => {} })
	const draft = `${name}_loading`
	try {
		const [found] = await admin`select 1 from pg_database where datname = ${name}`
		if (found) return false
		await admin`drop database if exists ${admin(draft)} with (force)`
		await admin`create database ${admin(draft)}`
		await fillSample(databaseUrl(clusterUrl, draft), size)
		await admin`alter database ${admin(draft)} rename to ${admin(name)}`
		return true
	} finally {
		await admin.end({ timeout: 5 })
	}
}

/** Fills an empty database with the sample, over two sessions with as much work each. */
export async function fillSample(url: string, size: SampleSize): Promise<void> {
	await inSession(url, [schema])
	await Promise.all([
		inSession(url, [functions, lines(size), curiosities, lineKeys, activity(size)]),
		inSession(url, [functions, goods, people(size), trade(size)]),
	])
	await Promise.all([inSession(url, [paymentKeys, peopleKeys]), inSession(url, [orderKeys])])
	await inSession(url, [joiningKeys])
	const large = ['order_lines', 'orders']
	const others = sampleTables.filter((table) => !large.includes(table))
	await Promise.all([inSession(url, [statistics(large)]), inSession(url, [statistics(others)])])
}

async function inSession(url: string, steps: string[]): Promise<void> {
	const connection = { TimeZone: 'UTC', DateStyle: 'ISO', synchronous_commit: 'off', lc_monetary: 'C', jit: 'off' }
	const sql = postgres(url, { max: 1, onnotice: () => {}, connection: connection as object })
	try {
		for (const step of steps) await sql.unsafe(step).simple()
	} finally {
		await sql.end({ timeout: 5 })
	}
}

/** The address of another database of the same cluster. */
export function databaseUrl(clusterUrl: string, name: string): string {
	const url = new URL(clusterUrl)
	url.pathname = `/${name}`
	return url.toString()
}
