/** Lets loops sleep until something happens or the time is up. */
export type Wake = {
	/** Ends every wait that is under way. */
	notify(): void
	/** Resolves at the next `notify`, after `ms`, or at once when the signal is aborted. */
	wait(ms: number, signal?: AbortSignal): Promise<void>
}

/** Makes a {@link Wake}. */
export function createWake(): Wake {
	const waiting = new Set<() => void>()
	return {
		notify() {
			for (const end of [...waiting]) end()
		},
		wait(ms, signal) {
			if (signal?.aborted) return Promise.resolve()
			return new Promise((resolve) => {
				const end = () => {
					clearTimeout(timer)
					waiting.delete(end)
					signal?.removeEventListener('abort', end)
					resolve()
				}
				const timer = setTimeout(end, ms)
				waiting.add(end)
				signal?.addEventListener('abort', end)
			})
		},
	}
}
