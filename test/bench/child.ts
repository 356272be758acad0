import { fork } from 'node:child_process'
import { once } from 'node:events'

/** `rows`: each benchmark has its own default. */
export type BenchOptions = { rows?: number; rounds: number }

/** What a program sends from a process of its own. */
export async function inChild<T>(program: string, name: string, { rows, rounds }: BenchOptions): Promise<T> {
	const options = ['--rounds', `${rounds}`, ...(rows === undefined ? [] : ['--rows', `${rows}`])]
	const child = fork(program, ['--child', ...options, name])
	const answer = Promise.withResolvers<T>()
	child.on('message', (message) => answer.resolve(message as T))
	const [code] = await once(child, 'exit')
	if (code !== 0) throw new Error(`${name} ended with ${code}`)
	return await answer.promise
}
