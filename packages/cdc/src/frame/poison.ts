export type PoisonReason =
	/** Ends before it should. */
	| 'truncated'
	/** Does not begin as a frame does: somebody else's record. */
	| 'notAFrame'
	/** Another version of the format; said even of a record that nobody signed. */
	| 'version'
	/** Was changed, or made with another key. */
	| 'signature'
	/** Signed, but its lengths contradict each other. */
	| 'lengths'
	/** Signed, but it does not say what the format's version says. */
	| 'content'
	/** A part that contradicts the parts before it. */
	| 'parts'
	/** A later part of a frame of which nothing came before: reading began in its middle, or the rest was lost. */
	| 'orphan'

/** A record from which no frame can be read; whoever reads stops there. */
export class PoisonRecord extends Error {
	override name = 'PoisonRecord'
	readonly reason: PoisonReason

	constructor(reason: PoisonReason, message: string, options?: ErrorOptions) {
		super(message, options)
		this.reason = reason
	}
}
