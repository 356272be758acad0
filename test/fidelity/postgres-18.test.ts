import { describeVersion } from './suite.ts'

describeVersion(18, { byRun: true })
