import { EmbeddedSimulation } from './embedded.ts'
import { testSeeds } from './seeds.ts'

testSeeds((seed) => new EmbeddedSimulation(seed), { part: 2, parts: 3 })
