import { Command } from 'commander'
import { withSession } from '../command.ts'
import type { Io } from '../io.ts'
import { selectionFrom, selectionOptions } from '../options/selection.ts'
import { previewLines } from '../show/jobs.ts'

/** `reprieve preview`: what a restore would do; changes nothing. */
export function previewCommand(io: Io): Command {
	return selectionOptions(new Command('preview').description('show what a restore would do: then versus now')).action(
		withSession(io, async ({ client, show }, options: Parameters<typeof selectionFrom>[0]) => {
			show(await client.restores.preview(selectionFrom(options)), previewLines)
		}),
	)
}
