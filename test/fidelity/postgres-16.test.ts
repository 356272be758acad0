import { describeVersion } from './suite.ts'

describeVersion(16, { byRun: false })
