/** PostgreSQL's text of a one-dimensional array: bind it and cast (`${arrayLiteral(oids)}::oid[]`). */
export function arrayLiteral(values: readonly (string | number | bigint | null)[]): string {
	return `{${values.map(element).join(',')}}`
}

function element(value: string | number | bigint | null): string {
	if (value === null) return 'NULL'
	if (typeof value !== 'string') return String(value)
	return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}
