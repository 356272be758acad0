import { relative } from 'node:path'
import { CaptureStopped } from '@reprieve/sidecar'
import type { Standalone } from './start.ts'

/** What a person reads once everything runs: where it is, where the key lies, and three commands to try next. */
export function welcome(standalone: Standalone, isTerminal: boolean): string[] {
	const keyFile = relative(process.cwd(), standalone.adminKeyFile)
	return [
		'',
		`reprieve runs at ${standalone.url}`,
		isTerminal && standalone.adminKey
			? `admin key (also in ${keyFile}): ${standalone.adminKey}`
			: `the admin key is in ${keyFile}`,
		`log: ${relative(process.cwd(), standalone.logFile)}`,
		'',
		'Try next, in another terminal:',
		...(standalone.embedded ? sampleCommands : ownCommands),
		'',
	]
}

/** What a person reads when capture has stopped for a reason that only an operator can resolve. */
export function captureStopped(error: Error): string[] {
	const incident = error instanceof CaptureStopped ? error.incident : undefined
	return [
		'',
		`capture has stopped${incident ? ` (${incident.code})` : ''}: ${error.message}`,
		...(incident ? [incident.remedy] : []),
		'Until then deletions are not archived and no run is started; the service goes on, `pnpm reprieve status` says the same.',
	]
}

const sampleCommands = [
	'  pnpm reprieve status',
	'  pnpm reprieve plan duplicates customers --key lower:email --keep oldest --by created_at',
	'  pnpm reprieve cleanup stale sessions --column last_seen_at --older-than P180D --reason "old sessions"',
]

const ownCommands = [
	'  pnpm reprieve status',
	'  pnpm reprieve protect --dry-run TABLE',
	'  pnpm reprieve plan stale TABLE --column COLUMN --older-than P90D',
]
