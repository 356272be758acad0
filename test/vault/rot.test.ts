import type { ArchivedTransaction } from '@reprieve/contracts'
import { openVault, parseSegmentKeys, type Store, type Vault } from '@reprieve/vault'
import { describe, expect, test } from 'vitest'
import { changeRows, column, readCells, sourceTable } from './rows.ts'

const source = sourceTable([column(1, 'id', 'bigint'), column(2, 'note', 'text')])
const other = sourceTable([column(1, 'id', 'bigint')], { oid: 16_500, name: 'parcel' })
const keys = parseSegmentKeys(`k1:${'ab'.repeat(32)}`)

type Objects = Map<string, Uint8Array>

/** A store over a map: flipping a byte costs nothing there. */
function storeOf(objects: Objects): Store {
	const keysOf = (prefix: string) => [...objects.keys()].filter((key) => key.startsWith(prefix)).sort()
	return {
		async put(key, bytes) {
			if (objects.has(key)) return 'exists'
			objects.set(key, bytes)
			return 'created'
		},
		get: async (key) => objects.get(key),
		getRange: async (key, from, to) => objects.get(key)?.subarray(from, to),
		size: async (key) => objects.get(key)?.length,
		async *list(prefix) {
			for (const key of keysOf(prefix)) yield { key, size: objects.get(key)?.length ?? 0, modifiedAt: 0 }
		},
		async folders(prefix) {
			const rests = keysOf(prefix).map((key) => key.slice(prefix.length))
			return [...new Set(rests.filter((rest) => rest.includes('/')).map((rest) => rest.split('/')[0] as string))]
		},
		replace: async (key, bytes) => void objects.set(key, bytes),
		async delete(key) {
			objects.delete(key)
			return 'deleted'
		},
		settle: async () => {},
	}
}

const open = (objects: Objects, isEncrypted: boolean) =>
	openVault({ store: storeOf(objects), database: 'shop', now: () => 0, ...(isEncrypted && { keys }) })

function receipt(lsn: bigint): ArchivedTransaction {
	const rows = { customer: { deleted: 1, relinked: 0 } }
	return { position: { timeline: 1, lsn }, end: lsn + 1n, xid: Number(lsn), committedAt: lsn, rows, barriers: [] }
}

/** Every kind of object: segments, merged ones, an index, entries, a checkpoint, receipts, and the vault's own records. */
async function fill(isEncrypted: boolean): Promise<Objects> {
	const objects: Objects = new Map()
	const vault = open(objects, isEncrypted)
	const [customer, parcel] = [vault.table(source), vault.table(other)]
	for (let position = 1n; position <= 5n; position++) {
		const rows = changeRows(source, [{ cells: [String(position), `note ${position}`], position }])
		await customer.commit({ source: 'l', position, segments: await customer.write(rows) })
		if (position === 3n) await customer.compact({ minSegments: 2 })
		if (position === 4n) await customer.checkpoint({ every: 1 })
		await vault.transactions.append({ source: 'l', position: position + 1n, transactions: [receipt(position)] })
	}
	const rows = changeRows(other, [{ cells: ['1'], position: 1n }])
	await parcel.commit({ source: 'l', position: 1n, segments: await parcel.write(rows) })
	const of = { systemIdentifier: '7', databaseOid: 5, slot: 's', timeline: 1, openedAt: '2026-01-01T00:00:00Z' }
	const opened = await vault.putLineage({ id: 'l', ...of, nonces: [] })
	await vault.putLineage({ ...opened, nonces: [{ nonce: 'n', position: '0/1' }] })
	await vault.putLineage({ id: 'm', ...of, openedAt: '2026-02-01T00:00:00Z', nonces: [] })
	await vault.lease('l', 'ann', 1_000)
	await vault.putKey({ id: 'k', publicKey: 'pem', validFrom: '2026-01-01T00:00:00Z' })
	await vault.putKey({ id: 'j', publicKey: 'pem', validFrom: '2026-01-02T00:00:00Z' })
	await vault.putAudit({ act: 'look' })
	await vault.putAudit({ act: 'touch' })
	return objects
}

/** What readers of a vault ask for, by the part that answers. */
const questions = {
	customer: (vault: Vault) => readCells(vault.table(source).read({})),
	key: (vault: Vault) => readCells(vault.table(source).read({ keys: [{ id: '2' }] })),
	parcel: (vault: Vault) => readCells(vault.table(other).read({})),
	receipts: (vault: Vault) => Array.fromAsync(vault.transactions.read({})),
	lineages: (vault: Vault) => vault.lineages(),
	keys: (vault: Vault) => vault.keys(),
	audit: (vault: Vault) => Array.fromAsync(vault.audit()),
	lease: (vault: Vault) => vault.lease('l', 'ann', 1_000),
}

type Question = keyof typeof questions
const asked = Object.keys(questions) as Question[]

/** The questions that an object has a part in. */
function answersFrom(object: string): Question[] {
	const parts: [string, Question[]][] = [
		['shop/public/customer/', ['customer', 'key']],
		['shop/public/parcel/', ['parcel']],
		['shop/_transactions/', ['receipts']],
		['shop/_lineages/', ['lineages']],
		['shop/_keys/', ['keys']],
		['shop/_audit/', ['audit']],
		['shop/_leases/', ['lease']],
	]
	return parts.find(([prefix]) => object.startsWith(prefix))?.[1] ?? []
}

type Answers = Map<Question, unknown>

async function answersOf(objects: Objects, isEncrypted: boolean): Promise<Answers> {
	const answers: Answers = new Map()
	for (const question of asked) answers.set(question, await questions[question](open(new Map(objects), isEncrypted)))
	return answers
}

type Rot = { what: string; object: string; bytes: Uint8Array | undefined }

/** Either the answer is what it was, or it is refused by the object's name; who does not need the object is untouched. */
async function judge(objects: Objects, rot: Rot, ground: { isEncrypted: boolean; whole: Answers }): Promise<void> {
	const rotten = new Map(objects)
	if (rot.bytes) rotten.set(rot.object, rot.bytes)
	else rotten.delete(rot.object)
	for (const question of answersFrom(rot.object)) {
		try {
			expect(await questions[question](open(new Map(rotten), ground.isEncrypted))).toEqual(ground.whole.get(question))
		} catch (error) {
			const named = { code: 'VAULT_CORRUPT', message: expect.stringContaining(rot.object) }
			expect(error, `${rot.what} of ${rot.object}`).toMatchObject(named)
		}
	}
}

async function verified(objects: Objects, isEncrypted: boolean) {
	const vault = open(new Map(objects), isEncrypted)
	const found = []
	for (const archive of [vault.table(source), vault.table(other), vault.transactions])
		found.push(...(await Array.fromAsync(archive.verify())))
	return found
}

async function listedBy(objects: Objects, isEncrypted: boolean): Promise<Set<string>> {
	return new Set((await verified(objects, isEncrypted)).map(({ object }) => object))
}

async function problemsIn(objects: Objects, isEncrypted: boolean): Promise<string[]> {
	const bad = (await verified(objects, isEncrypted)).filter(({ problem }) => problem)
	return [...new Set(bad.map(({ object }) => object))]
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
	const copy = Uint8Array.from(bytes)
	copy[at] = (copy[at] as number) ^ (1 << (at % 8))
	return copy
}

describe.each([{ isEncrypted: false }, { isEncrypted: true }])('encrypted: $isEncrypted', ({ isEncrypted }) => {
	test('a bit flipped in any region of any object is noticed by name or does no harm', {
		timeout: 600_000,
	}, async () => {
		const objects = await fill(isEncrypted)
		const ground = { isEncrypted, whole: await answersOf(objects, isEncrypted) }
		for (const [object, bytes] of objects)
			for (let at = 0; at < bytes.length; at += stride(bytes.length))
				await judge(objects, { what: `byte ${at}`, object, bytes: flipped(bytes, at) }, ground)
	})
	test('what is cut, emptied, extended, exchanged or gone is noticed by name or does no harm', async () => {
		const objects = await fill(isEncrypted)
		const ground = { isEncrypted, whole: await answersOf(objects, isEncrypted) }
		for (const rot of rotsOf(objects)) await judge(objects, rot, ground)
	}, 600_000)

	test('verify names a damaged object, and no other', { timeout: 600_000 }, async () => {
		const objects = await fill(isEncrypted)
		const listed = await listedBy(objects, isEncrypted)
		expect(await problemsIn(objects, isEncrypted)).toEqual([])
		for (const [object, bytes] of objects) {
			if (!listed.has(object)) continue
			const rotten = new Map(objects).set(object, flipped(bytes, Math.floor(bytes.length / 2)))
			const found = await problemsIn(rotten, isEncrypted)
			expect(found, object).toEqual([object])
		}
	})
})

/** Some thirty bytes of each object, spread over all of its regions. */
function stride(size: number): number {
	return Math.max(1, Math.floor(size / 30))
}

function rotsOf(objects: Objects): Rot[] {
	return [...objects].flatMap(([object, bytes]) => {
		const cuts = [0, 1, 4, Math.floor(bytes.length / 2), bytes.length - 8, bytes.length - 1].filter((cut) => cut >= 0)
		const kind = /^shop\/_(lineages|keys|leases)\//.exec(object)?.[0] ?? object.replace(/[^/]*$/, '')
		const isLike = (key: string) => key !== object && key.startsWith(kind) && key.slice(-5) === object.slice(-5)
		return [
			...cuts.map((cut) => ({ what: `the first ${cut} bytes`, object, bytes: bytes.subarray(0, cut) })),
			{ what: 'itself and junk', object, bytes: Buffer.concat([bytes, Buffer.from('\n{"add":{}}\n')]) },
			...[...objects]
				.filter(([key]) => isLike(key))
				.map(([key, other]) => ({ what: `what ${key} has instead`, object, bytes: other })),
			...(isNeeded(object) ? [{ what: 'nothing', object, bytes: undefined }] : []),
		]
	})
}

/** Objects that the log names: their absence shows to whoever reads. That of an entry shows to who verifies (damage.test.ts). */
function isNeeded(object: string): boolean {
	return object.includes('/data/')
}
