import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { access, mkdir, readFile, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * The `bin` folder of an environment of its own with these requirements, made once per set of them. Undefined, with one
 * loud line, where Python is missing; with CI set that is an error.
 */
export async function findPrograms(name: string, requirements: string): Promise<string | undefined> {
	return await environment(name, requirements).catch((error: Error) => {
		if (process.env.CI) throw error
		console.error(`SKIPPED: ${name} need python3 with venv and pip: ${error.message.split('\n')[0]}`)
		return undefined
	})
}

/** It is built aside and marked when it is whole, so that a broken build is never found. */
async function environment(name: string, requirements: string): Promise<string> {
	const digest = createHash('sha256')
		.update(await readFile(requirements))
		.digest('hex')
		.slice(0, 12)
	const folder = join(homedir(), '.cache', 'reprieve-test', `${name}-${digest}`)
	const programs = join(folder, 'bin')
	const isReady = await access(join(folder, 'ready')).then(
		() => true,
		() => false,
	)
	if (isReady) return programs
	await rm(folder, { recursive: true, force: true })
	await mkdir(folder, { recursive: true })
	await run('python3', ['-m', 'venv', folder])
	const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements]
	await run(join(programs, 'python'), install)
	await run('touch', [join(folder, 'building')])
	await rename(join(folder, 'building'), join(folder, 'ready'))
	return programs
}
