import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { until } from '../wait.ts'

export type JavaProgram = {
	jars: string
	main: string
	args: string[]
	/** File that its output is added to. */
	log: string
	/** Megabytes of heap (384). */
	heap?: number
}

export type JavaProcess = {
	pid: number
	/** True once it has ended, however. */
	hasEnded(): boolean
	/** Sends the signal and waits for the end. */
	end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

/** Starts a Java program that does not outlive this process. */
export function startJava(program: JavaProgram): JavaProcess {
	const child = spawnJava(program)
	const { pid } = child
	if (pid === undefined) throw new Error('java did not start')
	const hasEnded = () => child.exitCode !== null || child.signalCode !== null
	const onExit = () => child.kill('SIGKILL')
	process.once('exit', onExit)
	child.once('exit', () => process.off('exit', onExit))
	return {
		pid,
		hasEnded,
		async end(signal) {
			if (!hasEnded()) child.kill(signal)
			await until(hasEnded, `process ${pid} to end`, 30_000).catch(() => child.kill('SIGKILL'))
		},
	}
}

/** Runs a Java program to its end; fails with its output when it ends badly. */
export async function runJava(program: JavaProgram): Promise<void> {
	const child = spawnJava(program)
	const code = await new Promise((resolve) => child.once('exit', resolve))
	if (code !== 0) throw new Error(`${program.main} ended with ${code}:\n${tail(program.log)}`)
}

/** What a Java program printed; fails when it ends badly. */
export async function outputOfJava(program: JavaProgram): Promise<string> {
	await runJava(program)
	return readFileSync(program.log, 'utf8')
}

/** The last 4,000 characters of a file. */
export function tail(file: string): string {
	return existsSync(file) ? readFileSync(file, 'utf8').slice(-4_000) : ''
}

/** A port of 127.0.0.1 on which nobody listens, below those that outgoing connections take at any moment. */
export async function freePort(): Promise<number> {
	for (;;) {
		const port = randomInt(15_000, 32_000)
		const server = createServer()
		const isFree = new Promise<boolean>((resolve) => {
			server.once('error', () => resolve(false))
			server.listen(port, '127.0.0.1', () => resolve(true))
		})
		if (!(await isFree)) continue
		await new Promise((resolve) => server.close(resolve))
		return port
	}
}

function spawnJava({ jars, main, args, log, heap = 384 }: JavaProgram): ChildProcess {
	const logging = `-Dlog4j2.configurationFile=file:${join(import.meta.dirname, 'log4j2.properties')}`
	const flags = [`-Xmx${heap}m`, '-XX:+UseSerialGC', '-XX:+ExitOnOutOfMemoryError', logging]
	const output = openSync(log, 'a')
	const command = [...diesWithParent(), 'java', ...flags, '-cp', `${jars}/*`, main, ...args]
	const child = spawn(command[0] ?? 'java', command.slice(1), { stdio: ['ignore', output, output] })
	closeSync(output)
	return child
}

/** Linux ends the child even when this process is killed. */
function diesWithParent(): string[] {
	const prefix = ['setpriv', '--pdeathsig', 'KILL']
	return spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true']).status === 0 ? prefix : []
}
