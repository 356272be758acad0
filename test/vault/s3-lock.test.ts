import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
	ListObjectVersionsCommand,
	PutBucketPolicyCommand,
	PutObjectLockConfigurationCommand,
} from '@aws-sdk/client-s3'
import { openVault, type Store } from '@reprieve/vault'
import { describe, expect, test } from 'vitest'
import { createBucket, type TestBucket } from '../support/s3/bucket.ts'
import { hasS3, sharedS3 } from '../support/s3/shared.ts'
import { createUser } from '../support/s3/versitygw.ts'
import { changeRows, column, readCells, sourceTable } from './rows.ts'

const source = sourceTable([column(1, 'id', 'bigint')])
const name = { schema: 'public', name: 'customer' }
const day = 24 * 3_600_000

async function lockedBucket(): Promise<TestBucket> {
	const bucket = await createBucket(await sharedS3(), { isLocked: true })
	const retention = { DefaultRetention: { Mode: 'COMPLIANCE' as const, Days: 1 } }
	await bucket.client.send(
		new PutObjectLockConfigurationCommand({
			Bucket: bucket.name,
			ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled', Rule: retention },
		}),
	)
	return bucket
}

type Statement = { Effect: string; Action: string | string[]; Resource: string }

/** The statements of the policy that docs/reference/vault.md prints. */
function documentedStatements(): Statement[] {
	const page = readFileSync(join(import.meta.dirname, '../../docs/reference/vault.md'), 'utf8')
	const [, json = ''] = /```json\n(.*?)```/s.exec(page) ?? []
	return (JSON.parse(json) as { Statement: Statement[] }).Statement
}

/** A bucket, and a user who may there under `v/` what the documented policy says, `withheld` excepted. */
async function guardedBucket(withheld?: string) {
	const server = await sharedS3()
	const bucket = await createBucket(server)
	const credentials = await createUser(server)
	const Statement = documentedStatements().map((statement) => ({
		...statement,
		Action: [statement.Action].flat().filter((action) => action !== withheld),
		Principal: { AWS: [credentials.accessKeyId] },
		Resource: statement.Resource.replace(':::bucket', `:::${bucket.name}`).replace('/prefix/', '/v/'),
	}))
	const Policy = JSON.stringify({ Version: '2012-10-17', Statement })
	await bucket.client.send(new PutBucketPolicyCommand({ Bucket: bucket.name, Policy }))
	return { bucket, credentials }
}

/** Every version that was ever put, as `key size`, whatever hides it now. */
async function versionsIn({ client, name: Bucket }: TestBucket): Promise<string[]> {
	const { Versions = [], IsTruncated } = await client.send(new ListObjectVersionsCommand({ Bucket }))
	expect(IsTruncated).toBeFalsy()
	return Versions.map(({ Key, Size }) => `${Key} ${Size}`).sort()
}

/** Notes what was put, as {@link versionsIn} shows it. */
function noting(store: Store): { store: Store; put: string[] } {
	const put: string[] = []
	return {
		put,
		store: {
			...store,
			async put(key, bytes) {
				const outcome = await store.put(key, bytes)
				if (outcome === 'created') put.push(`v/${key} ${bytes.length}`)
				return outcome
			},
			async replace(key, bytes) {
				await store.replace(key, bytes)
				put.push(`v/${key} ${bytes.length}`)
			},
		},
	}
}

/** Archives, compacts and sweeps as upkeep does, a week later too; answers what the sweep deleted. */
async function keepUp(store: Store): Promise<{ segments: number; entries: number }> {
	let now = Date.now()
	const vault = openVault({ store, database: 'shop', now: () => now })
	const table = vault.table(name)
	const archive = async (position: bigint) => {
		const segments = await table.write(changeRows(source, [{ cells: [String(position)], position }]))
		await table.commit({ source: 'l', position, segments })
		await vault.transactions.append({ source: 'l', position, transactions: [] })
		await vault.lease('l', 'a', 60_000)
	}
	for (let position = 1n; position <= 12n; position++) await archive(position)
	expect(await table.compact({ minSegments: 2 })).toEqual({ merged: 12, written: 1 })
	await table.checkpoint({ every: 1 })
	now += 8 * day
	await archive(13n)
	await table.checkpoint({ every: 1 })
	const swept = await table.sweep()
	await archive(14n)
	const again = openVault({ store, database: 'shop' }).table(name)
	const ids = (await readCells(again.read({}))).map(([id]) => Number(id))
	expect(ids).toEqual(Array.from({ length: 14 }, (_, at) => at + 1))
	expect((await Array.fromAsync(again.verify())).filter(({ problem }) => problem)).toEqual([])
	return swept
}

describe.skipIf(!hasS3)('a vault whose bucket keeps objects', { timeout: 600_000 }, () => {
	test('loses and overwrites nothing inside its retention', async () => {
		const bucket = await lockedBucket()
		const { store, put } = noting(bucket.store('v'))
		await keepUp(store)
		expect(await versionsIn(bucket)).toEqual(put.toSorted())
	})

	test('works with the documented rights alone', async () => {
		const { bucket, credentials } = await guardedBucket()
		expect(await keepUp(bucket.store('v', { credentials }))).toEqual({ segments: 12, entries: 15 })
		await expect(bucket.store('elsewhere', { credentials }).get('a/b')).rejects.toMatchObject({
			code: 'VAULT_UNAVAILABLE',
			hint: expect.stringContaining("bucket's policy"),
		})
	})

	test('works without the right to delete', async () => {
		const { bucket, credentials } = await guardedBucket('s3:DeleteObject')
		const { store, put } = noting(bucket.store('v', { credentials }))
		expect(await keepUp(store)).toEqual({ segments: 0, entries: 0 })
		const found = (await Array.fromAsync(bucket.store('v').list(''))).map(({ key }) => `v/${key}`)
		expect(found).toEqual([...new Set(put.map((line) => line.split(' ')[0] as string))].sort())
	})
})
