import type { Bucket } from './bucket.ts'
import { isAbsence, isStranger, statusOf } from './failure.ts'
import { putInParts } from './parts.ts'
import { at, checksumOf, sizeOf, whose } from './read.ts'

/** Objects above this size are sent in parts. */
const wholeBytes = 16 * 2 ** 20

/** Creates an object only if the key is free. */
export async function putObject(bucket: Bucket, key: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
	return bytes.length > wholeBytes ? await putInParts(bucket, key, bytes) : await putWhole(bucket, key, bytes)
}

/**
 * A try whose answer is lost may have stored the object, and the next one then finds the key taken by ourselves: only after
 * a first try that is refused is it somebody else's for certain.
 */
async function putWhole(bucket: Bucket, key: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
	let isUnsure = false
	const outcome = await bucket.request(
		key,
		async ({ s3, commands, signal }) => {
			const command = new commands.PutObjectCommand({ ...bodyOf(bucket, key, bytes), IfNoneMatch: '*' })
			try {
				await s3.send(command, { abortSignal: signal })
				return 'created'
			} catch (error) {
				if (statusOf(error) === 412) return 'exists'
				isUnsure = true
				throw error
			}
		},
		bytes.length,
	)
	return outcome === 'exists' && isUnsure ? await whose(bucket, key, bytes) : outcome
}

/** Overwrites an object; in a bucket with versions the older ones stay. */
export async function replaceObject(bucket: Bucket, key: string, bytes: Uint8Array): Promise<void> {
	await bucket.request(
		key,
		async ({ s3, commands, signal }) => {
			await s3.send(new commands.PutObjectCommand(bodyOf(bucket, key, bytes)), { abortSignal: signal })
		},
		bytes.length,
	)
}

/**
 * Removes an object. One that retention, a legal hold or the bucket's policy keeps answers 'kept': servers refuse with
 * different codes, so what counts is that the object is still there.
 */
export async function deleteObject(bucket: Bucket, key: string): Promise<'deleted' | 'kept'> {
	return await bucket.request(key, async ({ s3, commands, signal }) => {
		try {
			await s3.send(new commands.DeleteObjectCommand(at(bucket, key)), { abortSignal: signal })
			return 'deleted'
		} catch (error) {
			if (isAbsence(error)) return 'deleted'
			if (isRefusal(error) && (await sizeOf(bucket, key)) !== undefined) return 'kept'
			throw error
		}
	})
}

function isRefusal(error: unknown): boolean {
	const status = statusOf(error) ?? 0
	return !isStranger(error) && status >= 400 && status < 500 && ![404, 408, 409, 429].includes(status)
}

function bodyOf(bucket: Bucket, key: string, bytes: Uint8Array) {
	return { ...at(bucket, key), Body: bytes, ContentLength: bytes.length, ChecksumCRC32: checksumOf(bytes) }
}
