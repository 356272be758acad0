import { proveStructures } from './suite.ts'

proveStructures(15)
