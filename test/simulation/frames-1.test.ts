import { openFrames } from './frames.ts'
import { testSeeds } from './seeds.ts'

testSeeds('frames', openFrames, { seeds: 3_000, part: 0, parts: 2 })
