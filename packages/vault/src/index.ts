export {
	archivedOn,
	type Branch,
	branchSource,
	type EndedTimeline,
	endMarkOf,
	timelineAt,
	undoneSource,
} from './branch.ts'
export { openVault, openVaultAt, type VaultOptions } from './open.ts'
export { parseSegmentKeys } from './segment/cipher.ts'
export type { Store, StoredObject } from './store.ts'
export { fileStore } from './stores/file.ts'
export { type S3Options, s3Store } from './stores/s3.ts'
export { writeHex } from './values/hex.ts'
export type * from './vault.ts'
