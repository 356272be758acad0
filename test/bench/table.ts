import type { Report } from './report.ts'

/** A report, and the command that repeats it. */
export type Told = { command: string; report: Report }

/** All benchmarks as one table in Markdown, each row with the command that repeats it. */
export function tableOf(told: readonly Told[]): string {
	const lines = told.flatMap(({ command, report }) =>
		(report.rows ?? []).map(({ what, figure, ours, yardstick }) => [what, figure, ours, yardstick, `\`${command}\``]),
	)
	const head = ['what', 'ratio or figure', 'ours', 'yardstick', 'command']
	return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
