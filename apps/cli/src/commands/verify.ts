import { ReprieveError } from '@reprieve/contracts'
import { Command } from 'commander'
import { withSession } from '../command.ts'
import type { Io } from '../io.ts'
import { count } from '../show/table.ts'

/** `reprieve verify`: reads the vault and compares every object with its digest. */
export function verifyCommand(io: Io): Command {
	return new Command('verify')
		.description('read the archive and compare every object with its digest')
		.argument('[table]')
		.action(
			withSession(io, async ({ client, show }, table: string | undefined) => {
				const verdict = await client.system.verify(table)
				show(verdict, ({ objects, bytes, bad }) => [
					`${count(objects)} objects, ${count(bytes)} bytes, ${count(bad.length)} bad`,
					...bad.map(({ object, message }) => `${object}: ${message}`),
				])
				if (verdict.bad.length === 0) return
				throw new ReprieveError('VAULT_CORRUPT', `${verdict.bad.length} of ${verdict.objects} objects are bad`)
			}),
		)
}
