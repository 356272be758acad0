import type { Client } from '@reprieve/client'
import type { Command } from 'commander'
import { openClient } from './connection.ts'
import type { Io } from './io.ts'

/** What a command works with: a client, the chosen form of output, and the terminal. */
export type Session = {
	client: Client
	io: Io
	json: boolean
	/** The answer: as JSON when asked for, else as the lines that `human` makes of it. */
	show<T>(answer: T, human: (answer: T) => string[]): void
}

type GlobalOptions = { url?: string; keyFile?: string; json?: boolean }

/** An action whose first argument is the session; the command's own arguments and options follow. */
export function withSession<Args extends unknown[]>(
	io: Io,
	action: (session: Session, ...args: Args) => Promise<void>,
) {
	return async (...given: [...Args, Command]) => {
		const command = given.at(-1) as Command
		const options = command.optsWithGlobals<GlobalOptions>()
		const json = options.json ?? false
		const show: Session['show'] = (answer, human) => {
			if (json) io.out(JSON.stringify(answer, null, 2))
			else for (const line of human(answer)) io.out(line)
		}
		await action({ client: openClient(options, io), io, json, show }, ...(given.slice(0, -1) as Args))
	}
}
