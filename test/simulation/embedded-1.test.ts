import { EmbeddedSimulation } from './embedded.ts'
import { testSeeds } from './seeds.ts'

testSeeds((seed) => new EmbeddedSimulation(seed), { part: 0, parts: 3 })
