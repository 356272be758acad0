import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasKafka, sharedBroker, sharedConnect } from '../support/kafka/shared.ts'
import { hasS3 } from '../support/s3/shared.ts'
import { until } from '../support/wait.ts'
import { buildImage, type Image } from './image.ts'
import { check, hasPrograms, root } from './programs.ts'
import { openStack, type Stack } from './stack.ts'

/** Every container of ours by its exact command, on what its image would hold, as the user that it has there. */
describe.runIf(hasPrograms && hasKafka && hasS3)('the containers', { timeout: 120_000 }, () => {
	let images: Record<string, Image>

	beforeAll(async () => {
		images = { service: await buildImage('service'), sidecar: await buildImage('sidecar') }
	}, 300_000)

	afterAll(async () => {
		for (const image of Object.values(images ?? {})) await image[Symbol.asyncDispose]()
	})

	test('service takes the key of the generated .env and no other, has the command line, and ends with 0', async () => {
		await using stack = await openStack({ images, swaps: {} })
		const status = async (key: string) => (await stack.ask('/api/v1/system/status', key)).status
		expect(await status(stack.adminKey)).toBe(200)
		expect(await status(stack.adminKey.toUpperCase())).toBe(401)
		const shown = await stack.reprieve('status')
		expect(shown, shown.output).toMatchObject({ code: 0, output: expect.stringContaining('stopped') })
		expect(await stack.service.stop()).toBe(0)
	})

	test('prometheus-key makes a viewer to whom every metric of the rules and the dashboard is shown', async () => {
		await using stack = await openStack({ images, swaps: {} })
		const file = join(stack.folder, 'run', 'prometheus-key')
		const first = await stack.run('prometheus-key')
		expect([await first.ended, first.output()]).toEqual([0, expect.stringContaining('made a key')])
		const key = await readFile(file, 'utf8')
		const again = await stack.run('prometheus-key')
		expect([await again.ended, again.output()]).toEqual([0, expect.stringContaining('a valid key')])
		expect(await readFile(file, 'utf8')).toBe(key)
		expect((await stack.ask('/api/v1/tokens', key)).status).toBe(403)

		const shown = metricsIn(await (await stack.ask('/metrics', key)).text())
		const named = await metricsNamed()
		expect(named.length).toBeGreaterThan(15)
		expect(named.filter((name) => name !== 'up' && !shown.has(name))).toEqual([])
	})

	test('sidecar-capture streams into Kafka, says so, and ends with 0', async () => {
		const [broker] = (await sharedBroker()).brokers
		await using stack = await openStack({ images, swaps: { 'kafka:9092': broker as string } })
		await using capture = await stack.run('sidecar-capture')
		await capture.healthy()
		expect((await stack.ask('/readyz', '')).status).toBe(200)
		expect(await capture.stop()).toBe(0)
		expect((await stack.ask('/readyz', '')).status).toBe(503)
	})

	test('a deletion goes through capture and two archives, and the command line finds it', async () => {
		const [broker] = (await sharedBroker()).brokers
		await using stack = await openStack({ images, swaps: { 'kafka:9092': broker as string } })
		const { sql } = stack.database
		await sql`create table public.orders (id bigint primary key, note text)`
		await sql`insert into public.orders select g, 'order ' || g from generate_series(1, 100) g`
		await using capture = await stack.run('sidecar-capture')
		await using first = await stack.run('sidecar-archive')
		await using second = await stack.run('sidecar-archive')
		for (const sidecar of [capture, first, second]) await sidecar.healthy()
		const protectedNow = await stack.reprieve('protect', 'orders')
		expect(protectedNow, protectedNow.output).toMatchObject({ code: 0 })
		await sql`delete from public.orders where id <= 60`
		const found = await until(async () => {
			const { output } = await stack.reprieve('search', '--table', 'orders', '--key', '{"id": 42}')
			return output.includes('order 42') && output
		}, 'the row to be found')
		expect(found).toContain('order 42')
		for (const sidecar of [capture, first, second]) expect(await sidecar.stop()).toBe(0)
	})

	test('sidecar-archive-debezium follows a connector that the container connector made', async () => {
		const { brokers, url } = await sharedConnect()
		const swaps = {
			'kafka-1:9092,kafka-2:9092,kafka-3:9092': brokers[0] as string,
			'http://connect:8083': url.slice(0, -1),
		}
		await using stack = await openStack({ images, swaps })
		await using archive = await stack.run('sidecar-archive-debezium')
		await archive.healthy()
		await using role = await roleOfConnect(stack)
		await writeFile(join(stack.folder, 'secrets', 'database-url'), role.url)
		const first = await stack.run('connector')
		expect([await first.ended, first.output()]).toEqual([0, expect.stringMatching(/^connector reprieve\.\w+: 201$/m)])
		const again = await stack.run('connector')
		expect([await again.ended, again.output()]).toEqual([0, expect.stringMatching(/: 200$/m)])
		const name = /connector (\S+):/.exec(first.output())?.[1]
		try {
			const isRunning = async () => {
				const response = await fetch(`${url}connectors/${name}/status`)
				const { tasks } = (await response.json()) as { tasks?: { state: string }[] }
				return tasks?.[0]?.state === 'RUNNING'
			}
			await until(isRunning, 'the connector to run', 60_000)
		} finally {
			await fetch(`${url}connectors/${name}`, { method: 'DELETE' })
		}
		expect(await archive.stop()).toBe(0)
	})
})

/** A role whose password lies in the file of properties where the connector looks for it. */
async function roleOfConnect({ database, folder }: Stack): Promise<AsyncDisposable & { url: string }> {
	const url = new URL(database.url)
	url.username = `connect_${randomBytes(6).toString('hex')}`
	url.password = randomBytes(12).toString('hex')
	await writeFile(join(folder, 'secrets', 'reprieve.properties'), `database.password=${url.password}\n`)
	await database.sql.unsafe(`create role ${url.username} superuser login password '${url.password}'`)
	return {
		url: url.href,
		[Symbol.asyncDispose]: async () => void (await database.sql.unsafe(`drop role ${url.username}`)),
	}
}

function metricsIn(text: string): Set<string> {
	const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)]
	return new Set(
		types.flatMap(([, name, type]) =>
			type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name as string],
		),
	)
}

/** The metrics that the alert rules and the dashboard read, as Prometheus's own parser sees them. */
async function metricsNamed(): Promise<string[]> {
	const dashboard = JSON.parse(await readFile(join(root, 'deploy/grafana/dashboards/reprieve.json'), 'utf8')) as {
		panels: { targets: { expr: string }[] }[]
	}
	const expressions = dashboard.panels.flatMap((panel) => panel.targets.map((target) => target.expr))
	const args = [join(root, 'deploy/prometheus/rules.yml')]
	return (await check('rules', { args, input: expressions.join('\n') })).trim().split('\n')
}
