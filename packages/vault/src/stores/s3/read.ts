import { crc32 } from 'node:zlib'
import type * as sdk from '@aws-sdk/client-s3'
import type { StoredObject } from '../../store.ts'
import type { Act, Bucket } from './bucket.ts'
import { isAbsence, mismatch, statusOf } from './failure.ts'

/** Name of the checksum over a whole object that was sent in parts; S3 itself keeps one per part. */
export const wholeChecksum = 'reprieve-crc32'

/** The whole object, compared with its checksum whatever the SDK's own settings are; undefined when there is none. */
export async function getObject(bucket: Bucket, key: string): Promise<Uint8Array | undefined> {
	return await orAbsent(bucket, key, async ({ s3, commands, signal, allow }) => {
		const command = new commands.GetObjectCommand({ ...at(bucket, key), ChecksumMode: 'ENABLED' })
		const { Body, ContentLength, Metadata } = await s3.send(command, { abortSignal: signal })
		allow(ContentLength ?? 0)
		const bytes = await bytesOf(Body, ContentLength)
		const expected = Metadata?.[wholeChecksum]
		if (expected !== undefined && expected !== checksumOf(bytes))
			throw mismatch(`its checksum is ${checksumOf(bytes)}, ${expected} was sent`)
		return bytes
	})
}

/** Bytes `from` (inclusive) to `to` (exclusive), short at the end of the object. */
export async function getRange(bucket: Bucket, key: string, { from, to }: { from: number; to: number }) {
	if (to <= from) return (await sizeOf(bucket, key)) === undefined ? undefined : new Uint8Array()
	return await orAbsent(bucket, key, async ({ s3, commands, signal, allow }) => {
		const command = new commands.GetObjectCommand({ ...at(bucket, key), Range: `bytes=${from}-${to - 1}` })
		try {
			const { Body, ContentLength, ContentRange } = await s3.send(command, { abortSignal: signal })
			allow(ContentLength ?? 0)
			const bytes = await bytesOf(Body, ContentLength)
			return ContentRange === undefined ? bytes.subarray(from, to) : bytes
		} catch (error) {
			if (statusOf(error) === 416) return new Uint8Array()
			throw error
		}
	})
}

/** Whether the object at a key is the one that was sent. */
export async function whose(bucket: Bucket, key: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
	const found = await getObject(bucket, key)
	return found !== undefined && Buffer.compare(found, bytes) === 0 ? 'created' : 'exists'
}

/** Bytes of an object; undefined when there is none. */
export async function sizeOf(bucket: Bucket, key: string): Promise<number | undefined> {
	return await orAbsent(bucket, key, async ({ s3, commands, signal }) => {
		const { ContentLength } = await s3.send(new commands.HeadObjectCommand(at(bucket, key)), { abortSignal: signal })
		return ContentLength ?? 0
	})
}

/** Every object under a prefix; S3 lists in byte order of the keys. Markers of folders, as consoles make them, are no objects. */
export async function* listObjects(bucket: Bucket, prefix: string): AsyncIterable<StoredObject> {
	for await (const { Contents = [] } of pagesOf(bucket, prefix))
		for (const { Key, Size, LastModified } of Contents)
			if (!Key?.endsWith('/'))
				yield { key: bucket.ownKey(Key as string), size: Size ?? 0, modifiedAt: LastModified?.getTime() ?? 0 }
}

/** Names of the folders right under a prefix. */
export async function listFolders(bucket: Bucket, prefix: string): Promise<string[]> {
	const names: string[] = []
	for await (const { CommonPrefixes = [] } of pagesOf(bucket, prefix, '/'))
		for (const { Prefix } of CommonPrefixes) names.push(bucket.ownKey(Prefix as string).slice(prefix.length, -1))
	return names
}

async function* pagesOf(bucket: Bucket, prefix: string, delimiter?: string): AsyncIterable<sdk.ListObjectsV2Output> {
	let next: string | undefined
	do {
		const token = next
		const page = await bucket.request(prefix, async ({ s3, commands, signal }) => {
			const command = new commands.ListObjectsV2Command({
				Bucket: bucket.name,
				Prefix: bucket.keyOf(prefix),
				...(delimiter ? { Delimiter: delimiter } : {}),
				...(token ? { ContinuationToken: token } : {}),
			})
			return await s3.send(command, { abortSignal: signal })
		})
		yield page
		next = page.IsTruncated ? page.NextContinuationToken : undefined
	} while (next !== undefined)
}

/** Bucket and key as a request names them. */
export function at(bucket: Bucket, key: string): { Bucket: string; Key: string } {
	return { Bucket: bucket.name, Key: bucket.keyOf(key) }
}

/** CRC-32 as S3 writes it. */
export function checksumOf(bytes: Uint8Array): string {
	const digest = Buffer.alloc(4)
	digest.writeUInt32BE(crc32(bytes))
	return digest.toString('base64')
}

async function orAbsent<T>(bucket: Bucket, key: string, act: Act<T>): Promise<T | undefined> {
	const actOrNothing: Act<T | undefined> = async (client) => {
		try {
			return await act(client)
		} catch (error) {
			if (isAbsence(error)) return undefined
			throw error
		}
	}
	return await bucket.request(key, actOrNothing)
}

async function bytesOf(body: sdk.GetObjectCommandOutput['Body'], length: number | undefined): Promise<Uint8Array> {
	const bytes = (await body?.transformToByteArray()) ?? new Uint8Array()
	if (length !== undefined && bytes.length !== length)
		throw new Error(`${bytes.length} bytes came, ${length} were announced`)
	return bytes
}
