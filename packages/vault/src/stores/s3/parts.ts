import { ReprieveError } from '@reprieve/contracts'
import type { Bucket } from './bucket.ts'
import { nameOf, statusOf } from './failure.ts'
import { at, checksumOf, wholeChecksum, whose } from './read.ts'

const partBytes = 8 * 2 ** 20
const partsAtOnce = 4

/** Uploads that a conflict ended before ours is given up; S3 asks for the whole upload again. */
const uploads = 3

type Part = { PartNumber: number; ETag: string | undefined; ChecksumCRC32: string }

/** Creates a large object only if the key is free: the condition is that of the upload's completion. */
export async function putInParts(bucket: Bucket, key: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
	for (let upload = 1; ; upload++) {
		const id = await begin(bucket, key, bytes)
		const outcome = await finish(bucket, key, { id, bytes }).catch(async (error: unknown) => {
			await abort(bucket, key, id)
			throw error
		})
		if (outcome !== 'created') await abort(bucket, key, id)
		if (outcome !== 'void') return outcome
		if (upload === uploads)
			throw new ReprieveError('VAULT_UNAVAILABLE', `vault object ${key}: the server dropped ${uploads} uploads of it`, {
				hint: 'Look for rules or programs that end unfinished uploads of the bucket at once.',
			})
	}
}

async function begin(bucket: Bucket, key: string, bytes: Uint8Array): Promise<string> {
	return await bucket.request(key, async ({ s3, commands, signal }) => {
		const command = new commands.CreateMultipartUploadCommand({
			...at(bucket, key),
			ChecksumAlgorithm: 'CRC32',
			Metadata: { [wholeChecksum]: checksumOf(bytes) },
		})
		return (await s3.send(command, { abortSignal: signal })).UploadId as string
	})
}

type Upload = { id: string; bytes: Uint8Array }

/** `void`: the upload is gone and the object is not there. */
async function finish(bucket: Bucket, key: string, upload: Upload): Promise<'created' | 'exists' | 'void'> {
	const parts = await sendParts(bucket, key, upload)
	let isUnsure = false
	const outcome = await bucket.request(
		key,
		async ({ s3, commands, signal }) => {
			const command = new commands.CompleteMultipartUploadCommand({
				...at(bucket, key),
				UploadId: upload.id,
				IfNoneMatch: '*',
				MultipartUpload: { Parts: parts },
			})
			try {
				await s3.send(command, { abortSignal: signal })
				return 'created'
			} catch (error) {
				if (statusOf(error) === 412) return 'exists'
				if (isUnsure && nameOf(error) === 'NoSuchUpload') return 'void'
				isUnsure = true
				throw error
			}
		},
		upload.bytes.length,
	)
	if (outcome === 'created' || !isUnsure) return outcome
	const found = await whose(bucket, key, upload.bytes)
	return found === 'exists' ? outcome : found
}

async function sendParts(bucket: Bucket, key: string, { id, bytes }: Upload): Promise<Part[]> {
	const count = Math.ceil(bytes.length / partBytes)
	const parts: Part[] = []
	let next = 0
	const send = async () => {
		while (next < count) {
			const part = next++
			const slice = bytes.subarray(part * partBytes, (part + 1) * partBytes)
			parts[part] = await sendPart(bucket, key, { id, number: part + 1, bytes: slice }).catch((error: unknown) => {
				next = count
				throw error
			})
		}
	}
	const sent = await Promise.allSettled(Array.from({ length: partsAtOnce }, send))
	for (const result of sent) if (result.status === 'rejected') throw result.reason
	return parts
}

async function sendPart(
	bucket: Bucket,
	key: string,
	{ id, number, bytes }: Upload & { number: number },
): Promise<Part> {
	const checksum = checksumOf(bytes)
	const { ETag } = await bucket.request(
		key,
		({ s3, commands, signal }) => {
			const command = new commands.UploadPartCommand({
				...at(bucket, key),
				UploadId: id,
				PartNumber: number,
				Body: bytes,
				ContentLength: bytes.length,
				ChecksumCRC32: checksum,
			})
			return s3.send(command, { abortSignal: signal })
		},
		bytes.length,
	)
	return { PartNumber: number, ETag, ChecksumCRC32: checksum }
}

/** What cannot be dropped now is left to the bucket's rule for unfinished uploads. */
async function abort(bucket: Bucket, key: string, id: string): Promise<void> {
	await bucket
		.request(key, ({ s3, commands, signal }) =>
			s3.send(new commands.AbortMultipartUploadCommand({ ...at(bucket, key), UploadId: id }), { abortSignal: signal }),
		)
		.catch(() => {})
}
