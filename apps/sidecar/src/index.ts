export { configSchema, parseConfig, type SidecarConfig } from './config.ts'
export { CaptureStopped } from './incident.ts'
export { adopt, type Sidecar, type SidecarParts, startSidecar } from './start.ts'
