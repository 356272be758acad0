import { confirm, isCancel } from '@clack/prompts'
import type { Changes } from './own-database.ts'

/** Shows what would change and asks; without a terminal only `yes` is consent. */
export async function consents(changes: Changes, yes: boolean, say: (line: string) => void): Promise<boolean> {
	if (changes.lines.length === 0) return true
	say(`reprieve would add to the database "${changes.database}":`)
	for (const line of changes.lines) say(`  - ${line}`)
	say('It protects no table and deletes nothing before you say so.')
	if (yes) return true
	if (!process.stdin.isTTY || !process.stdout.isTTY) {
		say('Nothing was changed. Start again with --yes to go on.')
		return false
	}
	const answer = await confirm({ message: 'Go on?', initialValue: false })
	return answer === true && !isCancel(answer)
}
