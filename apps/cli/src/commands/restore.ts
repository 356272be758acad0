import type { PreviewOptions } from '@reprieve/client'
import { ReprieveError } from '@reprieve/contracts'
import { Command } from 'commander'
import { type Session, withSession } from '../command.ts'
import type { Io } from '../io.ts'
import { selectionFrom, selectionOptions } from '../options/selection.ts'
import { failed } from '../show/failed.ts'
import { previewLines, restoreLines } from '../show/jobs.ts'
import { follow } from '../show/progress.ts'
import { count } from '../show/table.ts'

type Options = Parameters<typeof selectionFrom>[0] & { reason: string; hash?: string; yes?: boolean; detach?: boolean }

/** `reprieve restore`: puts deleted rows back. */
export function restoreCommand(io: Io): Command {
	const command = new Command('restore')
		.description('put deleted rows back, exactly as they were')
		.requiredOption('--reason <text>')
		.option('--hash <hash>', 'of the preview that was reviewed')
		.option('--yes', 'restore whatever the preview shows, unasked')
		.option('--detach', 'do not wait: the restore goes on in the service')
	return selectionOptions(command).action(
		withSession(io, async (session, options: Options) => {
			const selected = selectionFrom(options)
			const hash = options.hash ?? (await reviewedHash(session, selected, options.yes ?? false))
			const { id } = await session.client.restores.start({ ...selected, hash, reason: options.reason })
			if (options.detach) return session.show(await session.client.restores.get(id), restoreLines)
			await watchRestore(session, id)
		}),
	)
}

/** Follows a restore to its end and shows it. Throws its failure. */
export async function watchRestore(session: Session, id: string): Promise<void> {
	const states = session.client.restores.follow(id).progress()
	const restore = await follow(
		session,
		states,
		(state) => `${count(state.restored)} of ${count(state.selected)} rows restored`,
	)
	session.show(restore, restoreLines)
	if (restore.status === 'failed') throw failed(restore)
}

async function reviewedHash({ client, io, json }: Session, selected: PreviewOptions, yes: boolean): Promise<string> {
	if (!yes && (json || !io.isTerminal)) {
		throw new ReprieveError('INVALID', 'neither --hash nor --yes was given', {
			hint: 'Run `reprieve preview` with the same selection, and give its hash.',
		})
	}
	const preview = await client.restores.preview(selected)
	if (!json) for (const line of previewLines(preview)) io.out(line)
	if (yes || (await io.confirm('Restore these rows?'))) return preview.hash
	throw new ReprieveError('CONFLICT', 'nothing was restored')
}
