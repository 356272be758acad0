export type * from './vault.ts'
