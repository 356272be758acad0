/** Work that goes on behind what its caller does next, one piece at a time; none is left behind a caller that fails. */
export function oneBehind(): Behind {
	let pending = Promise.resolve()
	return {
		async begin(work) {
			await pending
			pending = work()
			// Whoever begins the next or waits for the end is told.
			pending.catch(() => {})
		},
		end: () => pending,
		[Symbol.asyncDispose]: () => pending.catch(() => {}),
	}
}

export type Behind = AsyncDisposable & {
	/** Begins a piece once the one before is done. Throws what that one failed with. */
	begin(work: () => Promise<void>): Promise<void>
	/** When all is done. Throws what it failed with. */
	end(): Promise<void>
}
