import { Command } from 'commander'
import { approveCommand } from './commands/approve.ts'
import { auditCommand } from './commands/audit.ts'
import { barrierCommand } from './commands/barrier.ts'
import { cleanupCommand } from './commands/cleanup.ts'
import { debeziumCommand } from './commands/debezium.ts'
import { discardCommand } from './commands/discard.ts'
import { incidentsCommand } from './commands/incidents.ts'
import { initCommand } from './commands/init.ts'
import { planCommand } from './commands/plan.ts'
import { plansCommand } from './commands/plans.ts'
import { policiesCommand } from './commands/policies.ts'
import { previewCommand } from './commands/preview.ts'
import { protectCommand } from './commands/protect.ts'
import { restoreCommand } from './commands/restore.ts'
import { restoresCommand } from './commands/restores.ts'
import { runCommand } from './commands/run.ts'
import { runsCommand } from './commands/runs.ts'
import { searchCommand } from './commands/search.ts'
import { statusCommand } from './commands/status.ts'
import { tablesCommand } from './commands/tables.ts'
import { tokensCommand } from './commands/tokens.ts'
import { undoCommand } from './commands/undo.ts'
import { unprotectCommand } from './commands/unprotect.ts'
import { verifyCommand } from './commands/verify.ts'
import type { Io } from './io.ts'

const verbs = [
	initCommand,
	statusCommand,
	protectCommand,
	unprotectCommand,
	tablesCommand,
	planCommand,
	plansCommand,
	approveCommand,
	discardCommand,
	runCommand,
	runsCommand,
	cleanupCommand,
	searchCommand,
	barrierCommand,
	previewCommand,
	restoreCommand,
	restoresCommand,
	undoCommand,
	verifyCommand,
	policiesCommand,
	tokensCommand,
	auditCommand,
	incidentsCommand,
	debeziumCommand,
]

/** The whole command line, writing to `io` alone; how a wrong line is meant to be is not for who reads JSON. */
export function createProgram(io: Io, { showUsage }: { showUsage: boolean }): Command {
	const program = new Command('reprieve')
		.description('Clean up PostgreSQL, and take every deletion back.')
		.option('--url <url>', 'of the service (REPRIEVE_URL, http://127.0.0.1:4400)')
		.option('--key-file <path>', 'file with the API key (REPRIEVE_API_KEY, .reprieve/admin-key)')
		.option('--json', 'answers as JSON')
	for (const verb of verbs) program.addCommand(verb(io))
	return settle(program, io, showUsage ? (text) => io.err(text) : () => {})
}

/** Nothing ends the process or writes past `io`. */
function settle(command: Command, io: Io, writeErr: (text: string) => void): Command {
	command.exitOverride()
	command.configureOutput({ writeOut: (text) => io.out(text.trimEnd()), writeErr })
	for (const child of command.commands) settle(child as Command, io, writeErr)
	return command
}
