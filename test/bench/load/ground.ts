import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { startKafkaGround } from '../kafka/ground.ts'
import type { Processes } from '../processes.ts'
import { type SidecarGround, startSidecarGround, streaming } from '../sidecars.ts'

/** How deletions come to the vault: by one process, or through Kafka by two. */
export type Way = 'vault' | 'kafka'

export type LoadGround = SidecarGround & { processes: Processes }

/** Everything started and streaming. */
export async function startLoadGround(way: Way): Promise<LoadGround> {
	await using stack = new AsyncDisposableStack()
	const { ground, processes } = way === 'vault' ? await startDirect() : await startThroughKafka()
	stack.use(ground)
	await streaming(ground)
	const owned = stack.move()
	return { ...ground, processes, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

async function startDirect(): Promise<{ ground: SidecarGround; processes: Processes }> {
	const ground = await startSidecarGround()
	const capture = ground.run('capture')
	return { ground, processes: { capture: capture.child.pid ?? 0 } }
}

async function startThroughKafka(): Promise<{ ground: SidecarGround; processes: Processes }> {
	const ground = await startKafkaGround()
	const capture = ground.run('capture', '--sink', 'kafka')
	const archive = ground.run('archive')
	const processes = { capture: capture.child.pid ?? 0, archive: archive.child.pid ?? 0, broker: ground.broker.pid }
	return { ground, processes }
}

/** Bytes and number of the vault's objects, in a ground's folder. */
export async function sizeOf(folder: string): Promise<string> {
	const vault = join(folder, 'vault')
	const entries = await readdir(vault, { recursive: true, withFileTypes: true })
	const files = entries.filter((entry) => entry.isFile())
	let bytes = 0
	for (const file of files) {
		// Upkeep may remove a file that was just listed.
		bytes += await stat(join(file.parentPath, file.name)).then(
			({ size }) => size,
			() => 0,
		)
	}
	return `vault: ${(bytes / 2 ** 20).toFixed(1)} MiB in ${files.length} objects`
}
