/** Does the work for so many items at a time. All of it has ended before a failure is told of. */
export async function inParallel<T>(
	items: readonly T[],
	atOnce: number,
	work: (item: T) => Promise<void>,
): Promise<void> {
	const queue = [...items]
	const worker = async () => {
		for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
	}
	const ended = await Promise.allSettled(Array.from({ length: Math.min(atOnce, items.length) }, worker))
	for (const one of ended) if (one.status === 'rejected') throw one.reason
}
