export * from './columns.ts'
export * from './jobs.ts'
export * from './lineage.ts'
