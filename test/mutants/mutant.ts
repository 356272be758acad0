/** One guard of the product and how to take it out. It is data, so that a fast test can say that it still applies. */
export type Mutant = {
	/** What the product does without its guard. */
	name: string
	/** The promise or rule of docs/explanation/proof.md that the guard keeps. */
	rule: string
	/** From the root of the repository. */
	file: string
	/** The guard; occurs in the file exactly once. */
	before: string
	after: string
	/** Names of the tests that must notice, or unique parts of them, by file. */
	tests: Record<string, string[]>
}

/** The file without the guard. Throws when the guard is not there exactly once. */
export function takeOut(mutant: Mutant, source: string): string {
	const found = source.split(mutant.before).length - 1
	if (found !== 1) throw new Error(`${mutant.name}: its guard occurs ${found} times in ${mutant.file}, not once`)
	return source.replace(mutant.before, () => mutant.after)
}
