import type { TableName } from '@reprieve/contracts'

/**
 * One part of an object key: everything but ASCII letters, digits, `_` and `-` becomes `~` and two hex digits per byte, dots
 * included, so that distinct names stay distinct. Not `%`: Delta readers decode it in a table's folder and then find nothing.
 * A leading `_` is escaped too: those names are the vault's own (`_transactions`).
 */
export function encodePart(name: string): string {
	let part = ''
	for (const byte of Buffer.from(name)) {
		const char = String.fromCharCode(byte)
		const isPlain = /[A-Za-z0-9-]/.test(char) || (char === '_' && part !== '')
		part += isPlain ? char : `~${byte.toString(16).toUpperCase().padStart(2, '0')}`
	}
	return part
}

/** Inverse of {@link encodePart}. */
export function decodePart(part: string): string {
	return decodeURIComponent(part.replaceAll('~', '%'))
}

/** Folder of the archive of one source table, without a slash at the end. */
export function tableFolder(database: string, table: TableName): string {
	return `${encodePart(database)}/${encodePart(table.schema)}/${encodePart(table.name)}`
}

/** A folder of the vault's own in one database; no schema can have this name. */
export function ownFolder(database: string, name: 'transactions' | 'lineages' | 'leases' | 'keys' | 'audit'): string {
	return `${encodePart(database)}/_${name}`
}

/** Name of a log entry in its table's folder. */
export function entryPath(version: number): string {
	return `_delta_log/${padVersion(version)}.json`
}

/** Name of a checkpoint in its table's folder. */
export function checkpointPath(version: number): string {
	return `_delta_log/${padVersion(version)}.checkpoint.parquet`
}

/** Name of the sealed digest of a checkpoint in its table's folder. */
export function checkpointDigestPath(version: number): string {
	return `_delta_log/${padVersion(version)}.checkpoint.seal`
}

function padVersion(version: number): string {
	return version.toString().padStart(20, '0')
}
