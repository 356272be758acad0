export { type Config, readConfig } from './config.ts'
export { sampleTables } from './sample/load.ts'
export { type Standalone, startStandalone } from './start.ts'
