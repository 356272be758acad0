import { describeVersion } from './suite.ts'

describeVersion(15, { byRun: false })
