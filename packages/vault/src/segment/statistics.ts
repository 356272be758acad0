import type { EncodedColumn } from './encode.ts'

/** Delta statistics of a segment as the JSON text that an `add` carries: exact or absent, never approximate. */
export function statisticsOf(columns: readonly EncodedColumn[], rows: number): string {
	const plain = columns.filter(({ type }) => type !== 'map')
	const bounded = plain.flatMap(({ name, bounds }) => (bounds ? [{ name, ...bounds }] : []))
	return formatStatistics(rows, {
		min: bounded.map(({ name, min }) => [name, min]),
		max: bounded.map(({ name, max }) => [name, max]),
		nulls: plain.map(({ name, nullCount }) => [name, String(nullCount)]),
	})
}

/** The statistics of some columns alone, to the digit. */
export function statisticsOfColumns(stats: string, names: readonly string[]): string {
	const { rows, min, max, nulls } = parseStatistics(stats)
	const kept = <T>(values: Map<string, T>) => [...values].filter(([name]) => names.includes(name))
	const counts = kept(nulls).map(([name, count]): [string, string] => [name, String(count)])
	return formatStatistics(rows, { min: kept(min), max: kept(max), nulls: counts })
}

function formatStatistics(
	rows: number,
	{ min, max, nulls }: Record<'min' | 'max' | 'nulls', [name: string, json: string][]>,
): string {
	return `{"numRecords":${rows},"minValues":${objectOf(min)},"maxValues":${objectOf(max)},"nullCount":${objectOf(nulls)}}`
}

/** What {@link statisticsOf} wrote, with every bound as JSON source text. */
export type Statistics = {
	rows: number
	/** By column name. */
	min: Map<string, string>
	max: Map<string, string>
	nulls: Map<string, number>
}

/** Reads statistics back without rounding: bounds stay source text. */
export function parseStatistics(stats: string): Statistics {
	const parsed = JSON.parse(stats, keepNumbers) as {
		numRecords: Source
		minValues: Record<string, Source | string>
		maxValues: Record<string, Source | string>
		nullCount: Record<string, Source>
	}
	const sources = (bounds: Record<string, Source | string>) =>
		new Map(
			Object.entries(bounds).map(([name, bound]) => [
				name,
				bound instanceof Source ? bound.text : JSON.stringify(bound),
			]),
		)
	return {
		rows: Number(parsed.numRecords.text),
		min: sources(parsed.minValues),
		max: sources(parsed.maxValues),
		nulls: new Map(Object.entries(parsed.nullCount).map(([name, count]) => [name, Number(count.text)])),
	}
}

class Source {
	readonly text: string
	constructor(text: string) {
		this.text = text
	}
}

/** Reviver that keeps a number's digits; the third argument is part of ECMAScript 2026 and of Node 24. */
function keepNumbers(_key: string, value: unknown, context?: { source?: string }): unknown {
	return typeof value === 'number' ? new Source(context?.source ?? String(value)) : value
}

function objectOf(entries: [string, string][]): string {
	return `{${entries.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(',')}}`
}
