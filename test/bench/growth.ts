import { type BenchOptions, inChild } from './child.ts'
import type { Report } from './report.ts'

/** Runs one benchmark at several sizes and says how its cost grows with the rows: the exponent, 1 where it is linear. */
export async function growthOf(
	program: string,
	name: string,
	options: BenchOptions & { sizes: number[] },
): Promise<Report> {
	const { sizes, ...rest } = options
	const reports: Report[] = []
	for (const rows of sizes) reports.push(await inChild<Report>(program, name, { ...rest, rows }))
	const exponents = Object.fromEntries(
		Object.keys(reports[0]?.cost ?? {}).map((cost) => [
			cost,
			slopeOf(sizes.map((rows, at) => [Math.log(rows), Math.log(reports[at]?.cost?.[cost] as number)])),
		]),
	)
	const text = Object.entries(exponents).map(([cost, exponent]) => `${cost} rows^${exponent.toFixed(2)}`)
	return {
		text: [
			...reports.map((report) => report.text),
			`  growth from ${sizes.join(' to ')} rows: ${text.join(', ')}`,
		].join('\n'),
		data: { sizes, exponents, reports: reports.map(({ data }) => data) },
		rows: [
			...reports.flatMap(({ rows = [] }) => rows),
			{ what: `${name}: growth over ${sizes.join(', ')} rows`, figure: text.join(', '), ours: '', yardstick: '' },
		],
	}
}

/** Of the straight line through some points that leaves the least squares. */
function slopeOf(points: [number, number][]): number {
	const mean = (at: 0 | 1) => points.reduce((sum, point) => sum + point[at], 0) / points.length
	const [x, y] = [mean(0), mean(1)]
	const top = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0)
	return top / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0)
}
