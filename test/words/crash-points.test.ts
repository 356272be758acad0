import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { cuts } from '../faults/crash/cuts.ts'
import { editAt, edited } from '../faults/crash/point.ts'
import { chains, kafkaChains } from '../faults/crash/points.ts'
import { shortened } from '../faults/crash/settings.ts'

const points = [...chains, ...kafkaChains].flatMap((chain) => chain.points)
const sourceOf = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')

test.each(points)('$name: the place of the crash is in the sources once', (point) => {
	const edits = [...shortened, ...(point.edits ?? []), editAt(point)].filter(({ file }) => file === point.file)
	expect(edits.reduce(edited, sourceOf(point.file))).toContain('isCrashPointHit')
})

test.each([...cuts.service, ...cuts.sidecar])('$name: the place of the cut is in the sources once', (place) => {
	const edit = editAt({ ...place, fate: 'nothing' })
	expect(edited(sourceOf(place.file), edit)).toContain('isCrashPointHit')
})

test('names of points are unique', () => {
	expect(new Set(points.map(({ name }) => name)).size).toBe(points.length)
	expect(points.length).toBeGreaterThan(60)
})

test('every setting that is shortened is in the sources once', () => {
	const edits = [...shortened, ...points.flatMap((point) => point.edits ?? [])]
	for (const edit of edits) expect(edited(sourceOf(edit.file), edit)).toContain(edit.instead)
})

test('a place that is not there, or there twice, is an error', () => {
	expect(() => edited('a b a', { file: 'f', at: 'a', instead: 'x' })).toThrow('f: 2 times "a", not once')
	expect(() => edited('a b a', { file: 'f', at: 'c', instead: 'x' })).toThrow('f: 0 times "c", not once')
})
