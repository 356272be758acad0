/** Polls `condition` until it is truthy and answers that value; fails after `withinMs` (default 20 s) naming `what`. */
export async function until<T>(
	condition: () => Promise<T> | T,
	what: string,
	withinMs = 20_000,
): Promise<NonNullable<T>> {
	const deadline = Date.now() + withinMs
	for (;;) {
		const value = await condition()
		if (value) return value
		if (Date.now() > deadline) throw new Error(`waited ${withinMs} ms for ${what}`)
		await new Promise((resolve) => setTimeout(resolve, 20))
	}
}
