/** Where the command reads from and writes to; tests bring their own. */
export type Io = {
	out(line: string): void
	/** Progress and refusals. */
	err(text: string): void
	/** Whether a person looks at standard error and may be asked. */
	isTerminal: boolean
	env: Readonly<Record<string, string | undefined>>
	confirm(question: string): Promise<boolean>
}
