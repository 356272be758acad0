import { createDecoder, type PgoutputHandler } from '@reprieve/cdc'
import { openStream } from '@reprieve/postgres'

type Decoding = AsyncDisposable & { done: Promise<void>; close(): Promise<void> }

/** Streams and counts; `done` when so many rows and their commit came. */
export async function openDecoding(url: string, name: string, rows: number): Promise<Decoding> {
	let deletes = 0
	const { promise, resolve } = Promise.withResolvers<void>()
	const nothing = () => {}
	const handler: PgoutputHandler = {
		...{ begin: nothing, relation: nothing, insert: nothing, update: nothing, truncate: nothing, message: nothing },
		delete: () => {
			deletes++
		},
		commit: () => {
			if (deletes === rows) resolve()
		},
	}
	const decode = createDecoder(handler)
	const stream = await openStream({
		...{ url, slot: name, publications: ['bench'] },
		onFrame: (frame) => {
			if (frame.kind === 'data') decode(frame.payload)
		},
	})
	const ended = stream.ended.then(() => {
		if (deletes !== rows) throw new Error(`the stream ended after ${deletes} of ${rows} rows`)
	})
	const close = () => stream.close()
	return { done: Promise.race([promise, ended]), close, [Symbol.asyncDispose]: close }
}
