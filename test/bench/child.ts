import { fork } from 'node:child_process'
import { once } from 'node:events'

/** `rows` and `seconds`: each benchmark has its own default. */
export type BenchOptions = { rows?: number; seconds?: number; rounds: number }

/** What a program sends from a process of its own. */
export async function inChild<T>(program: string, name: string, options: BenchOptions): Promise<T> {
	const args = Object.entries(options).flatMap(([option, value]) => [`--${option}`, `${value}`])
	const child = fork(program, ['--child', ...args, name])
	const answer = Promise.withResolvers<T>()
	child.on('message', (message) => answer.resolve(message as T))
	const [code] = await once(child, 'exit')
	if (code !== 0) throw new Error(`${name} ended with ${code}`)
	return await answer.promise
}
