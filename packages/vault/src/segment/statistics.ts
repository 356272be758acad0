import { DataType } from 'apache-arrow'
import type { SegmentColumn } from './encode.ts'

/** Delta statistics of a segment as the JSON text that an `add` carries: exact or absent, never approximate. */
export function statisticsOf(columns: SegmentColumn[], rows: number): string {
	const plain = columns.filter(({ encoded }) => !DataType.isMap(encoded.data.type))
	const bounded = plain.flatMap(({ name, encoded }) => (encoded.bounds ? [{ name, ...encoded.bounds }] : []))
	const parts = [
		`"numRecords":${rows}`,
		`"minValues":${objectOf(bounded.map(({ name, min }) => [name, min]))}`,
		`"maxValues":${objectOf(bounded.map(({ name, max }) => [name, max]))}`,
		`"nullCount":${objectOf(plain.map(({ name, encoded }) => [name, String(encoded.nullCount)]))}`,
	]
	return `{${parts.join(',')}}`
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
