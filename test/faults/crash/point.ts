/** A change of one source text, which must occur in its file exactly once. */
export type Edit = {
	/** Path from the root of the repository. */
	file: string
	at: string
	instead: string
}

/** A named place in the sources, and what happens to the process that comes there. */
export type Place = {
	name: string
	file: string
	/** A statement, or the beginning of one, that occurs in the file once. */
	at: string
	/** `through`: the text is an expression, and the point lies behind its value. Default `before`. */
	side?: 'before' | 'after' | 'through'
	/** Passes by the place that count, as an expression of what is in scope there. Default: every one. */
	when?: string
	/** At which of them it happens. Default 1. */
	nth?: number
	/** What is done first, as a statement of what is in scope there. */
	first?: string
	/** `kill`: SIGKILL; `freeze`: SIGSTOP; `nothing`: what is done first is all. Default `kill`. */
	fate?: 'kill' | 'freeze' | 'nothing'
}

const signals = { kill: 'SIGKILL', freeze: 'SIGSTOP' } as const

/** The change of the sources that makes a place a point. */
export function editAt(place: Place): Edit {
	const { name, file, at, side = 'before', when = 'true', nth = 1, first = '', fate = 'kill' } = place
	const end = fate === 'nothing' ? '' : `process.kill(process.pid, '${signals[fate]}')`
	const said = JSON.stringify(`crash point: ${name}\n`)
	const point = `if ((${when}) && isCrashPointHit(${JSON.stringify(name)}, ${nth}))
		{ ${first}; process.stderr.write(${said}); ${end} }`
	if (side === 'through') return { file, at, instead: `((value) => { ${point}; return value })(${at})` }
	return { file, at, instead: side === 'before' ? `;${point};${at}` : `${at};${point};` }
}

/** The text with one change. Throws when the place is not there exactly once. */
export function edited(text: string, { file, at, instead }: Edit): string {
	const parts = text.split(at)
	if (parts.length !== 2) throw new Error(`${file}: ${parts.length - 1} times ${JSON.stringify(at)}, not once`)
	return parts.join(instead)
}
