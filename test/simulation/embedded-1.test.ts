import { openEmbedded } from './embedded.ts'
import { testSeeds } from './seeds.ts'

testSeeds('embedded', openEmbedded, { seeds: 7_000, part: 0, parts: 2 })
