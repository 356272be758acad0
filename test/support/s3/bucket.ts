import { randomUUID } from 'node:crypto'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { type S3Options, type Store, s3Store } from '@reprieve/vault'
import type { S3Server } from './versitygw.ts'

/** A bucket of a test's own. */
export type TestBucket = {
	name: string
	/** The SDK's client, for what a store does not do. */
	client: S3Client
	/** A store under a prefix in it. */
	store(prefix: string, options?: Partial<S3Options>): Store
}

/** Creates a bucket; a short backoff keeps tests of failures quick. */
export async function createBucket(server: S3Server, { isLocked = false } = {}): Promise<TestBucket> {
	const { endpoint, ...credentials } = server
	const client = new S3Client({ endpoint, region: 'us-east-1', credentials, forcePathStyle: true })
	const bucket = `vault-${randomUUID()}`
	await client.send(new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: isLocked }))
	return {
		name: bucket,
		client,
		store: (prefix, options) => s3Store({ bucket, prefix, endpoint, credentials, backoffMs: 5, ...options }),
	}
}
