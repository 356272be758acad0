import type { PostgresVersion } from '../../support/postgres.ts'

/** Tables with rows, in a schema of their own. */
export type Structure = {
	name: string
	/** The first version that has what it needs. */
	since?: PostgresVersion
	/** SQL with the structure's schema as search path. */
	ddl: string
	rows: string
	/** Codes of findings that are accepted, with `$` for the schema. */
	acknowledge?: string[]
	/** Default: TRUNCATE is refused. */
	truncate?: 'archive'
}

/** A structure that is emptied and restored: then it is as it was. */
export type Case = Structure & {
	/** Plain SQL that deletes every row in one transaction. Default: table by table, the youngest first. */
	delete?: string
}

/** The schema of a structure: its name as an identifier. */
export function schemaOf({ name }: { name: string }): string {
	return name
		.toLowerCase()
		.replaceAll(/[^a-z0-9]+/g, '_')
		.slice(0, 50)
}
