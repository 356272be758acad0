export { openVault, openVaultAt, type VaultOptions } from './open.ts'
export type { Store, StoredObject } from './store.ts'
export { fileStore } from './stores/file.ts'
export type * from './vault.ts'
