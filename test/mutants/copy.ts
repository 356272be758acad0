import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Mutant, takeOut } from './mutant.ts'

export const root = fileURLToPath(new URL('../..', import.meta.url))

const left = new Set(['.git', '.cache', '.reprieve', 'coverage', 'dist'])

/** A throw-away copy of the tree: a crash leaves nothing broken behind, and child processes run the mutant too. */
export type Copy = AsyncDisposable & {
	folder: string
	/** Takes a guard out; gives it back on disposal. */
	mutate(mutant: Mutant): Promise<AsyncDisposable>
}

export async function copyTree(): Promise<Copy> {
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-mutants-'))
	const modules = join(root, 'node_modules')
	await cp(root, folder, {
		recursive: true,
		verbatimSymlinks: true,
		filter: (source) => !left.has(basename(source)) && source !== modules,
	})
	await symlink(modules, join(folder, 'node_modules'))
	return {
		folder,
		async mutate(mutant) {
			const path = join(folder, mutant.file)
			const source = await readFile(path, 'utf8')
			await writeFile(path, takeOut(mutant, source))
			return { [Symbol.asyncDispose]: () => writeFile(path, source) }
		},
		[Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
	}
}
