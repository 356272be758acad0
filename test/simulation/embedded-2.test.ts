import { openEmbedded } from './embedded.ts'
import { testSeeds } from './seeds.ts'

testSeeds('embedded', openEmbedded, { seeds: 7_000, part: 1, parts: 2 })
