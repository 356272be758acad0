import { randomUUID } from 'node:crypto'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { type S3Options, type Store, s3Store } from '@reprieve/vault'
import { vi } from 'vitest'
import { sharedS3 } from './shared.ts'
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

/** Variables that put a vault into a bucket of its own on the run's server; the process gets the server's credentials. */
export async function bucketEnvironment(): Promise<{ REPRIEVE_VAULT: string }> {
	const server = await sharedS3()
	vi.stubEnv('AWS_ACCESS_KEY_ID', server.accessKeyId)
	vi.stubEnv('AWS_SECRET_ACCESS_KEY', server.secretAccessKey)
	const { name } = await createBucket(server)
	return { REPRIEVE_VAULT: `s3://${name}/some/prefix?endpoint=${encodeURIComponent(server.endpoint)}` }
}
