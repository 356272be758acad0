export * from './catalog/describe.ts'
export * from './session.ts'
export * from './values/array.ts'
export * from './protect/publications.ts'
