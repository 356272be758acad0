/** The part of autocannon that is used here; it brings no types. */
declare module 'autocannon' {
	type Shot = { method: 'GET'; path: string }
	type Options = {
		url: string
		connections: number
		/** Seconds. */
		duration: number
		headers: Record<string, string>
		/** Called once for each connection. */
		setupClient: (client: { setRequests(requests: Shot[]): void }) => void
	}
	export default function autocannon(options: Options): Promise<unknown>
}
