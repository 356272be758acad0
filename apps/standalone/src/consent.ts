import { confirm, isCancel } from '@clack/prompts'
import type { Changes } from './own-database.ts'

/** Shows what would change and asks; without a terminal only `yes` is consent. */
export async function consents(changes: Changes, yes: boolean, say: (line: string) => void): Promise<boolean> {
	if (changes.lines.length === 0) return true
	say(`reprieve would add to the database "${changes.database}":`)
	for (const line of changes.lines) say(`  - ${line}`)
	say('It protects no table and deletes nothing before you say so.')
	return isWanted(yes, say)
}

/** Says what adopting means and asks; without a terminal only `yes` is consent. */
export async function consentsToAdopt(yes: boolean, say: (line: string) => void): Promise<boolean> {
	say('Adopting leaves the lineage that capture cannot continue and opens a new one for the database as it is now.')
	say('What was deleted in between is not in the archive: it stays on record as a gap.')
	return isWanted(yes, say)
}

async function isWanted(yes: boolean, say: (line: string) => void): Promise<boolean> {
	if (yes) return true
	if (!process.stdin.isTTY || !process.stdout.isTTY) {
		say('Nothing was changed. Start again with --yes to go on.')
		return false
	}
	const answer = await confirm({ message: 'Go on?', initialValue: false })
	return answer === true && !isCancel(answer)
}
