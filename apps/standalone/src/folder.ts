import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ReprieveError } from '@reprieve/contracts'

/** Makes the data folder and holds it for this process. Throws CONFLICT while another living process does. */
export async function holdFolder(folder: string): Promise<AsyncDisposable & { path: string }> {
	const path = resolve(folder)
	await mkdir(path, { recursive: true })
	const lock = join(path, 'lock')
	await take(lock)
	return { path, [Symbol.asyncDispose]: () => rm(lock, { force: true }) }
}

async function take(lock: string): Promise<void> {
	const mine = `${process.pid} ${await startOf(process.pid)}\n`
	while (!(await writeNew(lock, mine))) {
		const holder = await readFile(lock, 'utf8').catch(() => undefined)
		if (holder === undefined) continue
		if (await isHeld(holder)) throw inUse(lock, holder)
		await setAside(lock, holder)
	}
}

/** Written beside and linked: whoever sees the lock sees its holder. */
async function writeNew(lock: string, text: string): Promise<boolean> {
	const draft = `${lock}.${crypto.randomUUID()}`
	await writeFile(draft, text)
	try {
		await link(draft, lock)
		return true
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
		throw error
	} finally {
		await rm(draft, { force: true })
	}
}

/** Moves a dead holder's lock away; of two that try, the one that moved somebody's fresh lock puts it back. */
async function setAside(lock: string, holder: string): Promise<void> {
	const aside = `${lock}.${crypto.randomUUID()}`
	const moved = await rename(lock, aside).then(
		() => true,
		() => false,
	)
	if (!moved) return
	const found = await readFile(aside, 'utf8')
	if (found === holder) return rm(aside, { force: true })
	await rename(aside, lock)
	throw inUse(lock, found)
}

async function isHeld(holder: string): Promise<boolean> {
	const [pid = '', started = ''] = holder.trim().split(' ')
	return started !== '' && (await startOf(Number(pid))) === started
}

/** When a process began, in the kernel's ticks: a pid alone may be another's by now. Empty when it is gone. */
async function startOf(pid: number): Promise<string> {
	const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
	return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}

function inUse(lock: string, holder: string): ReprieveError {
	const pid = holder.split(' ')[0]
	return new ReprieveError('CONFLICT', `${resolve(lock, '..')} is in use by process ${pid}`, {
		hint: 'One start serves one data folder: stop that process, or set REPRIEVE_DATA to another folder.',
		retryable: false,
	})
}
