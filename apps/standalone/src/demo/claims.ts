/** Tells the story: lines, and claims that are checked before they are printed. */
export type Teller = {
	say(line: string): void
	/** Prints the claim when it holds. Throws when it does not. */
	claim(holds: boolean, text: string): void
}

/** A teller that writes lines. */
export function tellTo(write: (line: string) => void): Teller {
	return {
		say: write,
		claim(holds, text) {
			if (!holds) throw new Error(`not true: ${text}`)
			write(`  ✓ ${text}`)
		},
	}
}

/** A number with thousands separated. */
export function count(value: number): string {
	return value.toLocaleString('en-US')
}
