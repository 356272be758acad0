import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

test.each([
	['comes to its end', ''],
	['exits', 'process.exit(0)'],
	['ends by an error', 'throw new Error()'],
])('what was logged is written when the process %s', (_, end) => {
	const script = `import { openLog } from ${JSON.stringify(import.meta.resolve('./log.ts'))}
		const log = openLog({ logLevel: 'info' })
		log.info('of a turn before')
		await new Promise((resolve) => setImmediate(resolve))
		log.info('of the same turn')
		log.debug('not wanted')
		${end}`
	const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
	const lines = stdout.trim().split('\n')
	expect(lines.map((line) => JSON.parse(line).msg).sort()).toEqual(['of a turn before', 'of the same turn'])
})
