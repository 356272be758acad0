export { configSchema, parseConfig, type SidecarConfig } from './config.ts'
export { type DebeziumConfig, parseConnectUrl, startDebeziumArchive } from './debezium/start.ts'
export { CaptureStopped } from './incident.ts'
export { adopt, type Sidecar, type SidecarParts, startSidecar } from './start.ts'
