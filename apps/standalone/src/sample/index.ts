export { compareWithCopy, copyTables, type Difference } from '../demo/copy.ts'
export { fillSample, loadSample, sampleTables } from './load.ts'
export { fullSize, type SampleSize } from './seed.ts'
