import { randomBytes } from 'node:crypto'
import { openSessions, type Sql } from '@reprieve/postgres'
import { freshDatabase, type TestDatabase } from '../support/postgres.ts'

export type Managed = AsyncDisposable & {
	/** The database as the role without superuser sees it. */
	database: TestDatabase
	/** The superuser's sessions, which a managed service keeps to itself. */
	superuser: Sql
	role: string
	/** Another role's address of the same database. */
	urlOf(role: string): string
	/** Makes one more role; it goes with the others. */
	addRole(attributes?: string): Promise<string>
}

/** What the first user of a managed service has: it owns its database, makes roles and databases, and replicates. */
const managedRights = 'createrole createdb replication'

/** A database owned by a role with these attributes, in the suite's PostgreSQL 18 or in `cluster`. */
export async function managedDatabase(cluster?: { url: string }, attributes = managedRights): Promise<Managed> {
	const inner = await freshDatabase(cluster)
	const roles: string[] = []
	const urlOf = (role: string) => inner.url.replace(/\/\/[^@]*@/, `//${role}:x@`)
	const addRole = async (given = '') => {
		const role = `r_${randomBytes(6).toString('hex')}`
		await inner.sql.unsafe(`create role ${role} login password 'x' nosuperuser nobypassrls ${given}`)
		roles.push(role)
		return role
	}
	const role = await addRole(attributes)
	await inner.sql.unsafe(`alter database ${inner.name} owner to ${role}`)
	const url = urlOf(role)
	const sql = openSessions(url, { applicationName: 'test' })
	return {
		database: { ...inner, url, sql },
		superuser: inner.sql,
		role,
		urlOf,
		addRole,
		async [Symbol.asyncDispose]() {
			await sql.end({ timeout: 5 })
			for (const name of roles) await inner.sql.unsafe(`reassign owned by ${name} to current_user`)
			for (const name of roles.toReversed()) await inner.sql.unsafe(`drop owned by ${name} cascade`)
			for (const name of roles.toReversed()) await inner.sql.unsafe(`drop role ${name}`)
			await inner[Symbol.asyncDispose]()
		},
	}
}
