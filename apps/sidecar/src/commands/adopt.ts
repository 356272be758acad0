import { userInfo } from 'node:os'
import { adopt } from '../start.ts'
import type { CommandInput } from './command.ts'

/** `adopt`: a new lineage where the old one cannot go on. */
export async function adoptCommand({ config, vault, say }: CommandInput): Promise<void> {
	const { lineage, gap } = await adopt(config.sidecar, { vault, principal: userInfo().username })
	say(`adopted as lineage ${lineage}; not archived: ${gap}`)
}
