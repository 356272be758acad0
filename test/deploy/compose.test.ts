import { createPrivateKey } from 'node:crypto'
import { existsSync, statSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { hasPrograms, root } from './programs.ts'
import { type ComposeService, openDeployment } from './project.ts'

const always = ['bucket', 'grafana', 'postgres', 'prometheus', 'prometheus-key', 's3', 'service']
const once = ['bucket', 'connector', 'prometheus-key']

describe.runIf(hasPrograms)('docker-compose.yml', { timeout: 180_000 }, () => {
	test('is refused without .env, with what to do about each missing variable', async () => {
		await using deployment = await openDeployment()
		await expect(deployment.load()).rejects.toThrow(
			'required variable POSTGRES_PASSWORD is missing a value: run deploy/generate-env first',
		)
		await deployment.generate()
		const whole = await deployment.env()
		const names = [...whole.matchAll(/^([A-Z0-9_]+)=/gm)].map((match) => match[1] as string)
		expect(names.length).toBeGreaterThan(8)
		for (const name of names) {
			await writeFile(join(deployment.folder, '.env'), whole.replace(new RegExp(`^${name}=.*$`, 'm'), ''))
			await expect(deployment.load()).rejects.toThrow(
				`required variable ${name} is missing a value: run deploy/generate-env`,
			)
		}
	})

	test('runs own capture or Debezium, never both', async () => {
		await using deployment = await openDeployment()
		await deployment.generate()
		const own = await deployment.load()
		expect(Object.keys(own.project.services).sort()).toEqual(
			[...always, 'kafka', 'sidecar-archive', 'sidecar-capture'].sort(),
		)
		const debezium = await deployment.load({ COMPOSE_PROFILES: 'debezium' })
		expect(Object.keys(debezium.project.services).sort()).toEqual(
			[...always, 'connect', 'connector', 'kafka-1', 'kafka-2', 'kafka-3', 'sidecar-archive-debezium'].sort(),
		)
	})

	test('says of every service how it is watched, bounded and restarted', async () => {
		for (const [name, service] of await everyService()) {
			expect(service.image, name).toMatch(/:v?\d+\.\d+[\w.-]*$/)
			expect(Number(service.mem_limit), name).toBeGreaterThan(0)
			expect(service.restart, name).toBe(once.includes(name) ? 'no' : 'unless-stopped')
			const isWatched = service.healthcheck !== undefined || service.build !== undefined || once.includes(name)
			expect(isWatched, name).toBe(true)
			for (const port of service.ports ?? []) expect(port.host_ip, name).toBe('127.0.0.1')
			for (const { type, source } of service.volumes ?? [])
				if (type === 'bind') expect(existsSync(join(root, source.slice(source.indexOf('/deploy/')))), source).toBe(true)
		}
	})

	test('lets the archive be scaled', async () => {
		const [, archive] = (await everyService()).find(([name]) => name === 'sidecar-archive') as [string, ComposeService]
		expect(archive.container_name).toBeUndefined()
		expect(archive.ports).toBeUndefined()
		expect(archive.volumes).toBeUndefined()
	})

	test('waits for what can be waited for: a start that failed is never built upon', async () => {
		for (const [name, service] of await everyService())
			for (const [other, { condition }] of Object.entries(service.depends_on ?? {}))
				expect(condition, `${name} on ${other}`).toBe(
					once.includes(other) ? 'service_completed_successfully' : 'service_healthy',
				)
	})

	test('has no secret of its own', async () => {
		const text = await readFile(join(root, 'docker-compose.yml'), 'utf8')
		const values = [...text.matchAll(/^\s*(\S*(?:PASSWORD|SECRET|KEY)\w*): (.+)$/gm)]
		expect(values.length).toBeGreaterThan(5)
		for (const [, name, value] of values)
			if (!name?.endsWith('KEY_ID')) expect(value, name).toMatch(/^(\$\{\w+:\?|\/run\/secrets\/)/)
	})
})

describe('deploy/generate-env', () => {
	test('makes secrets that only the owner reads, once', async () => {
		await using deployment = await openDeployment()
		await deployment.generate()
		expect(statSync(join(deployment.folder, '.env')).mode & 0o777).toBe(0o600)
		const first = await deployment.env()
		await expect(deployment.generate()).rejects.toThrow('.env exists')
		expect(await deployment.env()).toBe(first)

		await using other = await openDeployment()
		await other.generate()
		const secrets = [...first.matchAll(/^[A-Z0-9_]+=(\S{24,})$/gm)].map((match) => match[1] as string)
		expect(secrets.length).toBeGreaterThan(5)
		const made = (await other.env()).split('\n')
		for (const secret of secrets.filter((one) => !one.includes('$'))) expect(made.join()).not.toContain(secret)
	})

	test.runIf(hasPrograms)('makes keys that reprieve takes', async () => {
		await using deployment = await openDeployment()
		await deployment.generate()
		const { secrets } = await deployment.load()
		expect(createPrivateKey(secrets['signing-key'] as string).asymmetricKeyType).toBe('ed25519')
		expect(Buffer.from(secrets['frame-key'] as string, 'base64')).toHaveLength(32)
		expect(secrets['admin-key']?.length).toBeGreaterThanOrEqual(32)
		expect(new URL(secrets['database-url'] as string).password).toBe(secrets['postgres-password'])
		expect(secrets['connect-properties']).toBe(`database.password=${secrets['postgres-password']}`)
	})

	test('is what git never takes', async () => {
		expect((await readFile(join(root, '.gitignore'), 'utf8')).split('\n')).toContain('.env')
	})
})

async function everyService(): Promise<[string, ComposeService][]> {
	await using deployment = await openDeployment()
	await deployment.generate()
	const { project } = await deployment.load({ COMPOSE_PROFILES: 'own,debezium' })
	expect(Object.keys(project.services).length).toBeGreaterThan(12)
	return Object.entries(project.services)
}
