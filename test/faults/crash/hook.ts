import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { type Edit, edited } from './point.ts'

/**
 * Preload of a process that is to die at a named point: `node --import hook.ts`, with a file of what to change in
 * CRASH_PRELOAD. Sources are changed as they are loaded; what lies on the disk stays as it is.
 */
const edits = JSON.parse(readFileSync(process.env.CRASH_PRELOAD ?? '', 'utf8')) as Edit[]

const passed = new Map<string, number>()
const isCrashPointHit = (name: string, nth: number) => {
	const pass = (passed.get(name) ?? 0) + 1
	passed.set(name, pass)
	return pass === nth
}
Object.assign(globalThis, { isCrashPointHit })

registerHooks({
	load(url, context, nextLoad) {
		const loaded = nextLoad(url, context)
		const own = edits.filter(({ file }) => url.endsWith(`/${file}`))
		if (own.length === 0) return loaded
		return { ...loaded, source: own.reduce(edited, String(loaded.source)) }
	},
})
