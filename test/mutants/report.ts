import type { Mutant } from './mutant.ts'

export type Result = {
	mutant: Mutant
	/** `broken`: its tests could not be run, so they say nothing. */
	verdict: 'caught' | 'survived' | 'broken'
	/** Names of the tests that noticed, or why they could not be run. */
	by: string[]
	seconds: number
}

export function showList(mutants: readonly Mutant[]): string {
	return mutants.map(({ name, rule, file }) => `${rule.padEnd(5)} ${name}  (${file})`).join('\n')
}

/** A table of who caught what, then the survivors by name. */
export function showTable(results: Result[]): string {
	const rows = results.map(({ mutant, verdict, by, seconds }) => [
		...[mutant.name, mutant.rule, mutant.file],
		verdict === 'caught' ? by.join('; ') : verdict.toUpperCase(),
		seconds.toFixed(1),
	])
	const survivors = results.filter(({ verdict }) => verdict === 'survived').map(({ mutant }) => mutant.name)
	const broken = results.filter(({ verdict }) => verdict === 'broken')
	return [
		'| without its guard the product | rule | file | caught by | seconds |',
		'| --- | --- | --- | --- | ---: |',
		...rows.map((cells) => `| ${cells.join(' | ')} |`),
		'',
		...broken.map(({ mutant, by }) => `BROKEN ${mutant.name}: ${by.join('; ')}`),
		`${results.length} mutants, ${results.length - survivors.length - broken.length} caught.`,
		...survivors.map((name) => `SURVIVED ${name}: a survivor is a missing test.`),
	].join('\n')
}
