export { type Config, maskConfig, readConfig } from './config.ts'
export type * from './context.ts'
export type { AppRouter } from './router.ts'
export { type Service, startService } from './start.ts'
