import type { PostgresVersion } from '../../support/postgres.ts'

/** One odd table: what it is (the end of "brings back ..."), its name, and the statements that make and fill it. */
export type Odd = {
	what: string
	/** As the API names tables; it has a primary key. */
	table: string
	make: string[]
	/** First version that knows it. */
	since?: PostgresVersion
	/** Codes of findings that must be accepted by name first. */
	acknowledge?: string[]
}

/** A table of one column per type, and as many rows as the type with the most values has. */
export function typedTable(what: string, name: string, values: Record<string, string[]>): Odd {
	const types = Object.keys(values)
	const columns = types.map((type, at) => `c${at} ${type}`).join(', ')
	const most = Math.max(...Object.values(values).map((of) => of.length))
	const rows = Array.from({ length: most }, (_, row) => {
		const cells = Object.entries(values).map(([type, of]) => (of[row] === undefined ? 'null' : `${of[row]}::${type}`))
		return `insert into public.${name} values (${row}, ${cells.join(', ')})`
	})
	return { what, table: name, make: [`create table public.${name} (id int primary key, ${columns})`, ...rows] }
}
