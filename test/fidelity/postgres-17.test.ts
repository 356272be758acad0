import { describeVersion } from './suite.ts'

describeVersion(17, { byRun: false })
