import { ReprieveError, type RunThrottle, type RunWindow } from '@reprieve/contracts'
import { Command } from 'commander'
import { type Session, withSession } from '../command.ts'
import type { Io } from '../io.ts'
import { parseCount, parseWindow } from '../options/parse.ts'
import { failed } from '../show/failed.ts'
import { runLines } from '../show/jobs.ts'
import { follow } from '../show/progress.ts'
import { count } from '../show/table.ts'

type Options = {
	reason: string
	batchRows?: number
	targetMs?: number
	exposureRows?: number
	rowsPerSecond?: number
	logPerSecond?: number
	waitForVacuum?: true
	window?: RunWindow
	timeZone?: string
	detach?: boolean
}

/** `reprieve run`: executes a plan and follows it to its end. */
export function runCommand(io: Io): Command {
	return new Command('run')
		.description('delete what a plan shows, in batches, and wait until every row is archived')
		.argument('<plan>')
		.requiredOption('--reason <text>', 'kept with every deleted row')
		.option('--batch-rows <rows>', 'most rows of one batch', parseCount)
		.option('--target-ms <ms>', 'how long one batch shall take', parseCount)
		.option('--exposure-rows <rows>', 'most rows deleted ahead of their receipts', parseCount)
		.option('--rows-per-second <rows>', 'most rows deleted a second', parseCount)
		.option('--log-per-second <bytes>', 'wait while the cluster writes more log than this', parseCount)
		.option('--wait-for-vacuum', 'wait while a vacuum works on one of the tables')
		.option('--window <from-to>', 'begin batches only between these times of day, for example 22:00-06:00', parseWindow)
		.option('--time-zone <name>', 'of the window (UTC)')
		.option('--detach', 'do not wait: the run goes on in the service')
		.action(
			withSession(io, async (session, planId: string, options: Options) => {
				const { reason, batchRows: rows, targetMs, exposureRows } = options
				const batch = rows || targetMs ? { rows, targetMs } : undefined
				const exposure = exposureRows ? { rows: exposureRows } : undefined
				const run = await session.client.runs.start({ planId, reason, batch, exposure, throttle: throttleOf(options) })
				await (options.detach ? showRun(session, run.id) : watchRun(session, run.id))
			}),
		)
}

function throttleOf({
	rowsPerSecond,
	logPerSecond,
	waitForVacuum,
	window,
	timeZone,
}: Options): RunThrottle | undefined {
	if (timeZone && !window) {
		throw new ReprieveError('INVALID', '--time-zone says where a window is', { hint: 'Give --window too.' })
	}
	const throttle = {
		rowsPerSecond,
		logBytesPerSecond: logPerSecond,
		waitForVacuum,
		window: window && { ...window, timeZone },
	}
	return Object.values(throttle).some((limit) => limit !== undefined) ? throttle : undefined
}

/** Shows a run as it is now. */
export async function showRun({ client, show }: Session, id: string): Promise<void> {
	show(await client.runs.get(id), runLines)
}

/** Follows a run to its end and shows it. Throws its failure. */
export async function watchRun(session: Session, id: string): Promise<void> {
	const states = session.client.runs.follow(id).progress()
	const run = await follow(
		session,
		states,
		(state) => `${count(state.deleted)} of ${count(state.planned)} rows deleted`,
	)
	session.show(run, runLines)
	if (run.status === 'failed') throw failed(run)
}
