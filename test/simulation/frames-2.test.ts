import { openFrames } from './frames.ts'
import { testSeeds } from './seeds.ts'

testSeeds('frames', openFrames, { seeds: 3_000, part: 1, parts: 2 })
