import type { Place } from '../archive.ts'
import type { SegmentFile } from '../log/actions.ts'
import { digestOf } from '../seal.ts'
import { putOnce } from '../store.ts'
import { encryptSegment } from './cipher.ts'
import { statisticsOfColumns } from './statistics.ts'

/** What the log says of a segment's object. */
type Stored = Pick<SegmentFile, 'path' | 'size' | 'sha256' | 'stats' | 'key'>

/**
 * Puts a segment, encrypted where the vault has keys: size and digest are then those of what lies in the store, so that
 * neither tells of the values, and of the statistics only those of `openColumns` stay.
 */
export async function putSegment(
	{ store, folder, keys }: Place,
	{ path, bytes, sha256, stats }: { path: string; bytes: Uint8Array; sha256: string; stats: string },
	openColumns: readonly string[],
): Promise<Stored> {
	const object = `${folder}/${path}`
	if (!keys) {
		await putOnce(store, object, bytes)
		return { path, size: bytes.length, sha256, stats }
	}
	const sealed = encryptSegment(keys, object, bytes)
	await putOnce(store, object, sealed.bytes)
	const open = statisticsOfColumns(stats, openColumns)
	return { path, size: sealed.bytes.length, sha256: digestOf(sealed.bytes), stats: open, key: sealed.key }
}
