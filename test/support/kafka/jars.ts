import { execFile, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Folder of the jars that `<name>/pom.xml` names, fetched with Maven the first time; safe for several callers at once. */
export async function jars(name: 'broker' | 'connect' | 'debezium' | 'tools'): Promise<string> {
	const folder = jarsFolder(name)
	if (existsSync(folder)) return folder
	await mkdir(cache, { recursive: true })
	const work = await mkdtemp(join(cache, `${name}-`))
	try {
		await cp(pomOf(name), join(work, 'pom.xml'))
		const flags = ['-B', '-q', '-f', join(work, 'pom.xml'), '-DincludeScope=runtime']
		await run('mvn', [...flags, 'dependency:copy-dependencies', `-DoutputDirectory=${join(work, 'lib')}`])
		await rename(join(work, 'lib'), folder).catch((error: NodeJS.ErrnoException) => {
			if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
		})
	} finally {
		await rm(work, { recursive: true, force: true })
	}
	return folder
}

/** What keeps a broker from being started here, with what to install; null: nothing. */
export function whyNoKafka(): string | null {
	if (process.env.KAFKA_BROKERS) return null
	const java = spawnSync('java', ['-version'], { encoding: 'utf8' })
	const version = Number(/version "(\d+)/.exec(java.stderr ?? '')?.[1] ?? 0)
	if (version < 17) return 'install Java 17 or newer (openjdk-17-jre-headless) and Maven, or set KAFKA_BROKERS'
	const isFetched = (['broker', 'connect', 'debezium'] as const).every((name) => existsSync(jarsFolder(name)))
	const hasMaven = isFetched || spawnSync('mvn', ['-version']).status === 0
	return hasMaven ? null : 'install Maven (maven), or set KAFKA_BROKERS'
}

const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'reprieve-test', 'kafka')

function jarsFolder(name: string): string {
	const digest = createHash('sha256')
		.update(readFileSync(pomOf(name)))
		.digest('hex')
		.slice(0, 12)
	return join(cache, `${name}-jars-${digest}`)
}

function pomOf(name: string): string {
	return join(import.meta.dirname, name, 'pom.xml')
}
