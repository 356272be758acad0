import { proveStructures } from './suite.ts'

proveStructures(18)
