import type { Socket } from 'node:net'

/** Milliseconds that a busy socket is left alone after it was read empty. */
const restMs = 10
/** Bytes within so many milliseconds that make a socket busy. */
const busyBytes = 32 * 1024
/** A turn of the event loop that brings more says that the sender waited for room, and sends on now. */
const emptyBytes = 4 * 1024

/**
 * Has a busy socket read rarely and much. A walsender sends each change by itself; a reader that is always there is woken for
 * each, and both pay for it. Left alone for a while, the kernel takes the changes in at the cost of a copy. What comes now
 * and then is read at once. Overrides `push` and `_read`, Node's interface for who implements a stream; bytes are
 * counted by turns, since over TLS each record is a piece of its own.
 */
export function restBetweenReads(socket: Socket): void {
	const push = socket.push.bind(socket)
	const read = socket._read.bind(socket)
	const flow = createFlow()
	let isTurnOpen = false
	let resting: NodeJS.Timeout | undefined

	const endTurn = () => {
		isTurnOpen = false
		flow.endTurn(performance.now())
	}
	const wake = () => {
		resting = undefined
		flow.begin(performance.now())
		if (!socket.destroyed) read(0)
	}
	socket.push = (chunk: Uint8Array | null, encoding?: BufferEncoding) => {
		const isWanted = push(chunk, encoding)
		if (chunk === null) return isWanted
		if (!isTurnOpen) setImmediate(endTurn)
		isTurnOpen = true
		flow.add(chunk.length)
		if (!flow.mayRest(performance.now())) return isWanted
		resting ??= setTimeout(wake, restMs)
		// Tells the handle to stop reading.
		return false
	}
	socket._read = (size: number) => {
		if (!resting) read(size)
	}
}

/** Whether bytes come so thick that their reader may rest, and whether it has read them all. */
function createFlow() {
	let since = 0
	let bytes = 0
	let bytesOfTurn = 0
	let emptySince = Number.NEGATIVE_INFINITY
	return {
		begin(now: number) {
			since = now
			bytes = 0
			emptySince = Number.NEGATIVE_INFINITY
		},
		add(length: number) {
			bytesOfTurn += length
		},
		endTurn(now: number) {
			if (now - since > restMs) this.begin(now)
			bytes += bytesOfTurn
			if (bytes >= busyBytes && bytesOfTurn <= emptyBytes) emptySince = now
			bytesOfTurn = 0
		},
		mayRest: (now: number) => now - emptySince < restMs,
	}
}
