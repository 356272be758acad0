import { openFrames } from './frames.ts'
import { testSeeds } from './seeds.ts'

testSeeds('frames', openFrames, { seeds: 3_500, part: 1, parts: 2 })
