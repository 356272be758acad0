import { Command } from 'commander'
import { withSession } from '../command.ts'
import type { Io } from '../io.ts'
import { protectedLines } from './protect.ts'

/** `reprieve unprotect`: puts tables back as they were before `protect`. */
export function unprotectCommand(io: Io): Command {
	return new Command('unprotect')
		.description('end the guarantee; the archive stays')
		.argument('<tables...>')
		.action(
			withSession(io, async ({ client, show }, tables: string[]) => {
				show(await client.tables.unprotect({ tables }), protectedLines)
			}),
		)
}
