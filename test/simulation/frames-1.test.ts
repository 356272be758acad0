import { openFrames } from './frames.ts'
import { testSeeds } from './seeds.ts'

testSeeds('frames', openFrames, { seeds: 3_500, part: 0, parts: 2 })
