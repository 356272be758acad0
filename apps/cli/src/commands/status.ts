import type { Status } from '@reprieve/client'
import { Command } from 'commander'
import { withSession } from '../command.ts'
import type { Io } from '../io.ts'
import { count } from '../show/table.ts'

/** `reprieve status`: what runs, how far the archive is behind, and what is wrong. */
export function statusCommand(io: Io): Command {
	return new Command('status')
		.description('what runs, how far the archive is behind, what is wrong')
		.action(withSession(io, async ({ client, show }) => show(await client.system.status(), statusLines)))
}

function statusLines({ status, capture, archive, incidents, versions }: Status): string[] {
	return [
		`reprieve ${versions.reprieve} is ${status} (PostgreSQL ${versions.postgresql})`,
		`capture: ${capture.state}, slot ${capture.slot}, ${count(capture.lagBytes)} bytes behind`,
		`archive: ${count(Math.round(archive.lagMs))} ms behind, ${count(archive.exposure)} rows without a receipt`,
		...incidents.map(({ id, at, message, remedy }) => `incident ${id} at ${at}: ${message}. ${remedy}`),
	]
}
