import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { ReprieveError, type TableName } from '@reprieve/contracts'
import { openKeys, openLeases, openLineages } from './ownership.ts'
import { decodePart, encodePart, ownFolder, tableFolder } from './paths.ts'
import { sealRecord, unsealRecord } from './seal.ts'
import { parseSegmentKeys, type SegmentKeys } from './segment/cipher.ts'
import { putOnce, type Store } from './store.ts'
import { fileStore } from './stores/file.ts'
import { parseS3Address } from './stores/s3/address.ts'
import { s3Store } from './stores/s3.ts'
import { openTable } from './table.ts'
import { openTransactions } from './transactions.ts'
import type { Vault } from './vault.ts'
import type { Head } from './verify.ts'

export type VaultOptions = {
	store: Store
	/** Name of the source database. */
	database: string
	/** Encrypts segments from now on, and decrypts those that are. */
	keys?: SegmentKeys
	/** Milliseconds since 1970. Default: the system's clock. */
	now?: () => number
	/** Names that no two objects may share. Default: random ones. */
	newId?: () => string
}

/** Opens the vault of one database; nothing is read or written before it is needed. */
export function openVault({ store, database, keys, now = Date.now, newId = randomUUID }: VaultOptions): Vault {
	const tables = new Map<string, ReturnType<typeof openTable>>()
	const heads = new Map<string, Head>()
	const archived = new Set<string>()
	const open = (name: TableName) => {
		const folder = tableFolder(database, name)
		const known = tables.get(folder)
		if (known) return known
		let noted = -1
		const onEntry = (version: number, digest: string) => {
			if (version <= noted) return
			noted = version
			heads.set(folder, { version, digest })
		}
		const table = openTable({ store, folder, keys, newId }, name, { now, onEntry })
		tables.set(folder, table)
		return table
	}
	const ownPlace = { store, folder: ownFolder(database, 'transactions'), keys, newId }
	const transactions = openTransactions(ownPlace, { now, heads })
	return {
		database,
		table: open,
		tables: () => listTables(store, database, archived),
		transactions,
		...openLineages(store, database),
		lease: openLeases(store, database, now),
		...openKeys(store, database),
		async putAudit(entry) {
			const at = new Date(now()).toISOString()
			const key = `${ownFolder(database, 'audit')}/${encodePart(at)}-${newId()}.json`
			await putOnce(store, key, sealRecord(key, { at, ...entry }))
		},
		async *audit() {
			for await (const { key } of store.list(`${ownFolder(database, 'audit')}/`)) {
				const bytes = await store.get(key)
				if (bytes) yield unsealRecord<Record<string, unknown>>(key, bytes)
			}
		},
		close: async () => {},
	}
}

/**
 * Opens the vault at an address: `file:///folder` or `s3://bucket/prefix`. With `segmentKeys` (see {@link parseSegmentKeys})
 * segments are encrypted. Throws INVALID for any other address or keys that cannot be read.
 */
export function openVaultAt(url: string, database: string, { segmentKeys }: { segmentKeys?: string } = {}): Vault {
	return openVault({ store: storeAt(url), database, keys: segmentKeys ? parseSegmentKeys(segmentKeys) : undefined })
}

function storeAt(url: string): Store {
	if (url.startsWith('file:///')) return fileStore(fileURLToPath(url))
	if (url.startsWith('s3://')) return s3Store(parseS3Address(url))
	throw new ReprieveError('INVALID', `"${url}" is not the address of a vault`, {
		hint: 'Write file:///folder or s3://bucket/prefix.',
	})
}

/** Folders alone are listed: the objects in them grow with every flush. `archived` are those known to hold a log, and learns of others. */
async function listTables(store: Store, database: string, archived: Set<string>): Promise<TableName[]> {
	const root = `${encodePart(database)}/`
	const found: TableName[] = []
	for (const schema of (await store.folders(root)).sort()) {
		if (schema.startsWith('_')) continue
		for (const name of (await store.folders(`${root}${schema}/`)).sort()) {
			const folder = `${root}${schema}/${name}/`
			if (!archived.has(folder) && (await store.folders(folder)).includes('_delta_log')) archived.add(folder)
			if (archived.has(folder)) found.push({ schema: decodePart(schema), name: decodePart(name) })
		}
	}
	return found
}
