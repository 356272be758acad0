import { proveStructures } from './suite.ts'

proveStructures(16)
