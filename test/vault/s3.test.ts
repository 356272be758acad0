import { execFile } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { openVaultAt } from '@reprieve/vault'
import { beforeAll, describe, expect, test } from 'vitest'
import { storeSuite } from '../port-suites/store.ts'
import { createBucket, type TestBucket } from '../support/s3/bucket.ts'
import { givenS3, hasS3, sharedS3 } from '../support/s3/shared.ts'
import type { S3Server } from '../support/s3/versitygw.ts'
import { freshFolder } from './folder.ts'

describe.skipIf(!hasS3)('a store in a bucket', () => {
	let server: S3Server
	let bucket: TestBucket
	beforeAll(async () => {
		server = await sharedS3()
		bucket = await createBucket(server)
	}, 600_000)

	storeSuite(async (name) => bucket.store(`suite/${name}`))

	test('a missing bucket, a wrong secret and an unknown user are errors, never absent objects', async () => {
		const refused = async (options: Parameters<TestBucket['store']>[1]) =>
			await bucket
				.store('x', options)
				.get('a/b')
				.catch((error: unknown) => error)
		const { accessKeyId } = server
		const secretAccessKey = 'a-secret-that-nobody-may-see'
		expect(await refused({ bucket: 'no-such-bucket' })).toMatchObject({
			code: 'VAULT_UNAVAILABLE',
			message: expect.stringContaining(`s3://no-such-bucket/x/a/b at ${new URL(server.endpoint).host}`),
			hint: expect.stringContaining('Create the bucket'),
		})
		for (const credentials of [
			{ accessKeyId, secretAccessKey },
			{ accessKeyId: 'nobody', secretAccessKey },
		]) {
			const error = await refused({ credentials })
			expect(error).toMatchObject({ code: 'VAULT_UNAVAILABLE', hint: expect.stringContaining('credentials') })
			expect(JSON.stringify(error, [...Object.getOwnPropertyNames(error), 'stack', 'message'])).not.toContain(
				secretAccessKey,
			)
		}
	})

	test('markers of folders, as consoles make them, are no objects', async () => {
		const store = bucket.store('marked')
		await store.put('data/1', Buffer.from('x'))
		for (const Key of ['marked/', 'marked/data/', 'marked/empty/'])
			await bucket.client.send(new PutObjectCommand({ Bucket: bucket.name, Key, ContentLength: 0 }))
		expect((await Array.fromAsync(store.list(''))).map(({ key }) => key)).toEqual(['data/1'])
		expect(await store.folders('')).toEqual(['data', 'empty'])
	})

	test('an address and the SDK variables are enough', async () => {
		const script = `
			import { openVaultAt } from '@reprieve/vault'
			const vault = openVaultAt('s3://${bucket.name}/by address', 'shop')
			await vault.putKey({ id: 'k1', publicKey: 'p', validFrom: '2026' })
			console.log(JSON.stringify(await vault.keys()))`
		const variables = {
			AWS_ENDPOINT_URL: server.endpoint.replace('127.0.0.1', 'localhost'),
			AWS_ACCESS_KEY_ID: server.accessKeyId,
			AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
		}
		expect(JSON.parse(await runScript(script, variables))).toEqual([{ id: 'k1', publicKey: 'p', validFrom: '2026' }])
		expect((await Array.fromAsync(bucket.store('by address').list(''))).map(({ key }) => key)).toEqual([
			'shop/_keys/k1/0000000000.json',
		])
	})
})

async function runScript(script: string, env: Record<string, string> = {}): Promise<string> {
	const flags = ['--input-type=module', '-e', script]
	return (await promisify(execFile)(process.execPath, flags, { cwd: import.meta.dirname, env })).stdout
}

const unset: [string, Record<string, string>, RegExp][] = [
	['credentials', { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }, /AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY/],
	['region', { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' }, /Set AWS_REGION/],
]
test.each(unset)('what to set is said where there is no %s', async (_, variables, hint) => {
	const script = `
		import { openVaultAt } from '@reprieve/vault'
		const error = await openVaultAt('s3://bucket/prefix', 'shop').keys().catch((error) => error)
		console.log(error.code, error.hint)`
	const nothing = { HOME: '/nonexistent', AWS_EC2_METADATA_DISABLED: 'true' }
	const said = await runScript(script, { ...nothing, ...variables })
	expect(said).toMatch(/^VAULT_UNAVAILABLE /)
	expect(said).toMatch(hint)
})

test('a vault in a folder never loads the SDK', async () => {
	await using folder = await freshFolder()
	const script = `
		import { registerHooks } from 'node:module'
		const loaded = []
		registerHooks({ resolve: (name, context, next) => (loaded.push(name), next(name, context)) })
		const { openVaultAt } = await import('@reprieve/vault')
		await openVaultAt('${pathToFileURL(folder.path).href}', 'shop').putKey({ id: 'k', publicKey: 'p', validFrom: '2026' })
		await openVaultAt('s3://bucket/prefix', 'shop').close()
		const before = loaded.some((name) => name.includes('aws-sdk'))
		await openVaultAt('s3://bucket/prefix?endpoint=http://127.0.0.1:1', 'shop').keys().catch(() => {})
		console.log(before, loaded.some((name) => name.includes('aws-sdk')))`
	expect(await runScript(script)).toBe('false true\n')
})

describe.skipIf(!givenS3)('a store in a bucket of the given endpoint', () => {
	let bucket: TestBucket
	beforeAll(async () => {
		bucket = await createBucket(givenS3 as S3Server)
	})
	storeSuite(async (name) => bucket.store(`suite/${name}`))
})

test('an address of a bucket that is off is refused, and no password in it is repeated', () => {
	const wrong = [
		's3://',
		's3://bucket/a//b',
		's3://bucket/%zz',
		's3://bucket:80/a',
		's3://bucket/a?sse=kms',
		's3://bucket/a?path-style=yes',
		's3://bucket/a?endpoint=ftp://host',
		's3://key:hunter2@bucket/a',
		's3://bucket/a?endpoint=http://key:hunter2@host',
	]
	for (const address of wrong)
		expect(() => openVaultAt(address, 'shop'), address).toThrow(
			expect.objectContaining({ code: 'INVALID', message: expect.not.stringContaining('hunter2') }),
		)
})
