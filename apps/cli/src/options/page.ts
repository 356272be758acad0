import type { Command } from 'commander'
import { parseCount } from './parse.ts'

export type PageOptions = { limit?: number; cursor?: string }

/** Adds `--limit` and `--cursor`. */
export function pageOptions(command: Command): Command {
	return command
		.option('--limit <rows>', 'at most so many (1 to 1000, default 100)', parseCount)
		.option('--cursor <cursor>', 'go on after an earlier page')
}

/** The page alone, of a command's options. */
export function pageFrom({ limit, cursor }: PageOptions): PageOptions {
	return { limit, cursor }
}
