import type { Store } from '../store.ts'
import { checkKey } from './key.ts'
import { openBucket, type S3Options } from './s3/bucket.ts'
import { getObject, getRange, listFolders, listObjects, sizeOf } from './s3/read.ts'
import { deleteObject, putObject, replaceObject } from './s3/write.ts'

export type { S3Options } from './s3/bucket.ts'

/**
 * A store in a bucket of S3 or of a server that speaks its protocol. An object is put under the condition that its key is
 * free; what a server acknowledged is durable by its own promise, so there is nothing to settle.
 */
export function s3Store(options: S3Options): Store {
	const bucket = openBucket(options)
	return {
		put: async (key, bytes) => await putObject(bucket, checkKey(key), bytes),
		get: async (key) => await getObject(bucket, checkKey(key)),
		getRange: async (key, from, to) => await getRange(bucket, checkKey(key), { from, to }),
		size: async (key) => await sizeOf(bucket, checkKey(key)),
		list: (prefix) => listObjects(bucket, prefix),
		folders: async (prefix) => await listFolders(bucket, prefix),
		replace: async (key, bytes) => await replaceObject(bucket, checkKey(key), bytes),
		delete: async (key) => await deleteObject(bucket, checkKey(key)),
		settle: async () => {},
	}
}
