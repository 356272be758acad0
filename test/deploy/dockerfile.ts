import { readFileSync } from 'node:fs'

/** A stage as its instructions leave it; what its base has is in it. */
export type Stage = {
	from: string
	env: Record<string, string>
	user?: string
	workdir?: string
	entrypoint?: string[]
	cmd?: string[]
	/** Command of the health check. */
	healthcheck?: string[]
	/** Commands of its own, without their mounts, and what its own COPY and ADD instructions say. */
	runs: string[]
	copies: string[]
}

/** Reads the subset of the Dockerfile's language that ours uses: exec forms, KEY=VALUE, one stage after the other. */
export function readStages(path: string): Map<string, Stage> {
	const stages = new Map<string, Stage>()
	let stage: Stage | undefined
	for (const [keyword, rest] of instructions(readFileSync(path, 'utf8'))) {
		if (keyword === 'FROM') {
			const [from, , name] = rest.split(/\s+/) as [string, string, string]
			stage = { ...(stages.get(from) ?? { env: {} }), from: stages.get(from)?.from ?? from, runs: [], copies: [] }
			stages.set(name, stage)
		} else if (stage) apply(stage, keyword, rest)
	}
	return stages
}

function apply(stage: Stage, keyword: string, rest: string): void {
	if (keyword === 'ENV') stage.env = { ...stage.env, ...pairs(rest) }
	else if (keyword === 'USER') stage.user = rest
	else if (keyword === 'WORKDIR') stage.workdir = rest
	else if (keyword === 'RUN') stage.runs.push(rest.replace(/^(--\S+\s+)+/, ''))
	else if (keyword === 'COPY' || keyword === 'ADD') stage.copies.push(`${keyword} ${rest}`)
	else if (keyword === 'ENTRYPOINT') stage.entrypoint = exec(rest)
	else if (keyword === 'CMD') stage.cmd = exec(rest)
	else if (keyword === 'HEALTHCHECK') stage.healthcheck = exec(rest.replace(/^(--\S+\s+)*CMD\s+/, ''))
	else if (keyword !== 'EXPOSE') throw new Error(`an instruction that these tests do not read: ${keyword}`)
}

function instructions(text: string): [string, string][] {
	const whole = text.replace(/^\s*#.*\n/gm, '').replace(/\\\n\s*/g, '')
	return whole.split('\n').flatMap((line) => {
		const [, keyword, rest] = /^\s*([A-Z]+)\s+(.+)$/.exec(line) ?? []
		return keyword && rest ? [[keyword, rest] as [string, string]] : []
	})
}

function pairs(text: string): Record<string, string> {
	return Object.fromEntries(text.split(/\s+/).map((pair) => pair.split('=') as [string, string]))
}

/** Throws for the shell form: a shell would stand between the container's signals and the program. */
function exec(text: string): string[] {
	return JSON.parse(text) as string[]
}
