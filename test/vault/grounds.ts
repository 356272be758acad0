import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { fileStore, type Store } from '@reprieve/vault'
import { createBucket } from '../support/s3/bucket.ts'
import { hasS3, sharedS3 } from '../support/s3/shared.ts'
import { startGateway } from '../support/s3/versitygw.ts'
import { freshFolder } from './folder.ts'

/** Somewhere empty; every call opens the same place anew, as another process does. */
export type Place = () => Store

export type Ground = AsyncDisposable & { fresh(): Place }

type Kind = { where: string; start(): Promise<Ground> }

const inFolder: Kind = {
	where: 'a folder',
	async start() {
		const folder = await freshFolder()
		return {
			fresh() {
				const path = join(folder.path, randomUUID())
				return () => fileStore(path)
			},
			[Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
		}
	},
}

const inBucket: Kind = {
	where: 'a bucket',
	async start() {
		const bucket = await createBucket(await sharedS3())
		return {
			fresh() {
				const prefix = randomUUID()
				return () => bucket.store(prefix)
			},
			[Symbol.asyncDispose]: async () => {},
		}
	},
}

/** Every other handle goes through the second of two servers that share their data. */
const behindGateways: Kind = {
	where: 'a bucket behind two gateways',
	async start() {
		await sharedS3() // builds the server, once
		const first = await startGateway()
		const second = await startGateway(first.folder)
		const bucket = await createBucket(first)
		return {
			fresh() {
				const prefix = randomUUID()
				let opened = 0
				return () => bucket.store(prefix, { endpoint: [first, second][opened++ % 2]?.endpoint })
			},
			async [Symbol.asyncDispose]() {
				await second.stop()
				await first.stop()
			},
		}
	},
}

/** One server of each kind that is at hand. */
export const grounds = hasS3 ? [inFolder, inBucket] : [inFolder]

/** For what must hold between processes, with two servers in place of the one. */
export const sharedGrounds = hasS3 ? [inFolder, behindGateways] : [inFolder]
