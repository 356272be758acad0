import type { Place } from '../archive.ts'
import type { SegmentFile } from '../log/actions.ts'
import { digestOf } from '../seal.ts'
import { putOnce } from '../store.ts'
import { encryptSegment } from './cipher.ts'
import { statisticsOfColumns } from './statistics.ts'

/** What the log says of a segment's object. */
type Stored = Omit<SegmentFile, 'modifiedAt' | 'range' | 'schema'>

/** A segment as it was built. */
type Built = Pick<SegmentFile, 'path' | 'sha256' | 'stats' | 'isSliced' | 'filters'> & { bytes: Uint8Array }

/**
 * Puts a segment, encrypted where the vault has keys: size and digest are then those of what lies in the store, so that
 * neither tells of the values, of the statistics only those of `openColumns` stay, and nothing says where a key lies.
 */
export async function putSegment(
	{ store, folder, keys }: Place,
	{ path, bytes, sha256, stats, isSliced, filters }: Built,
	openColumns: readonly string[],
): Promise<Stored> {
	const object = `${folder}/${path}`
	if (!keys) {
		await putOnce(store, object, bytes)
		const finding = { ...(isSliced ? { isSliced } : {}), ...(filters === undefined ? {} : { filters }) }
		return { path, size: bytes.length, sha256, stats, ...finding }
	}
	const sealed = encryptSegment(keys, object, bytes)
	await putOnce(store, object, sealed.bytes)
	const open = statisticsOfColumns(stats, openColumns)
	return { path, size: sealed.bytes.length, sha256: digestOf(sealed.bytes), stats: open, key: sealed.key }
}
