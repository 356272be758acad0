import { fileURLToPath } from 'node:url'
import { launch, type Started } from '../e2e/launcher.ts'
import { until } from '../support/wait.ts'
import { type ServiceGround, startServiceGround } from './ground.ts'

const sidecar = fileURLToPath(new URL('../../apps/sidecar/src/main.ts', import.meta.url))

/** As the sidecar's start script has them. */
const nodeFlags = ['--max-semi-space-size=4']

/** Sidecars are processes of their own. */
export type SidecarGround = ServiceGround & {
	/** Runs a command of the sidecar until the ground goes. */
	run(...args: string[]): Started
}

/** Starts server and service; more environment for the sidecars in `env`. */
export async function startSidecarGround(env: Record<string, string> = {}): Promise<SidecarGround> {
	await using stack = new AsyncDisposableStack()
	const ground = stack.use(await startServiceGround())
	const environment = {
		...{ DATABASE_URL: ground.url, REPRIEVE_DATA: ground.folder, REPRIEVE_VAULT: ground.vaultUrl },
		...{ REPRIEVE_LOG_LEVEL: 'warn', ...env },
	}
	const running = stack.adopt(new Set<Started>(), async (started) => {
		await Promise.all([...started].map((one) => one[Symbol.asyncDispose]()))
	})
	const owned = stack.move()
	return {
		...ground,
		run(...args) {
			const started = launch([...nodeFlags, sidecar, ...args], environment)
			running.add(started)
			return started
		},
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	}
}

/** Starts server and service, and capture in a process of its own, as operators run it. */
export async function startCapturedGround(): Promise<SidecarGround> {
	await using stack = new AsyncDisposableStack()
	const ground = stack.use(await startSidecarGround())
	const capture = ground.run('capture').child.pid ?? 0
	await streaming(ground)
	const owned = stack.move()
	return {
		...ground,
		processes: { ...ground.processes, capture },
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	}
}

/** Waits until capture streams. */
export async function streaming({ sql }: SidecarGround): Promise<void> {
	const found = async () => (await sql`select from reprieve.capture_state where state = 'streaming'`).count > 0
	await until(found, 'capture to stream', 60_000)
}
