/** Rows under headings, columns as wide as their widest cell; numbers to the right. */
export function table(headings: string[], rows: (string | number)[][]): string[] {
	const cells = rows.map((row) => row.map(text))
	const widths = headings.map((heading, n) => Math.max(heading.length, ...cells.map((row) => row[n]?.length ?? 0)))
	const isNumber = headings.map((_, n) => rows.length > 0 && rows.every((row) => typeof row[n] === 'number'))
	const line = (row: string[]) =>
		row
			.map((cell, n) => (isNumber[n] ? cell.padStart(widths[n] ?? 0) : cell.padEnd(widths[n] ?? 0)))
			.join('  ')
			.trimEnd()
	return rows.length === 0 ? ['none'] : [line(headings), ...cells.map(line)]
}

function text(cell: string | number): string {
	return typeof cell === 'number' ? count(cell) : cell
}

/** A number with thousands separated. */
export function count(value: number): string {
	return value.toLocaleString('en-US')
}

/** A row or key on one line. */
export function cells(row: Record<string, unknown>): string {
	return Object.entries(row)
		.map(([column, value]) => `${column}=${value === null ? 'NULL' : value}`)
		.join(' ')
}

/** The line that says that more is to be had, and how. */
export function more(next: string | undefined): string[] {
	return next === undefined ? [] : [`more: --cursor ${next}`]
}
