import { previewRestore } from '../../apps/service/src/restores/preview.ts'
import { readRestore, toRestore } from '../../apps/service/src/restores/read.ts'
import { startRestore } from '../../apps/service/src/restores/start.ts'
import { claimRestore } from '../../apps/service/src/restores/worker/claim.ts'
import { executeRestore } from '../../apps/service/src/restores/worker/execute.ts'
import { type CaptureGround, captureGround } from '../capture/ground.ts'
import { admin, type TestServices, testServices } from '../support/services.ts'

/** A database whose deletions are captured, and the services that bring them back. */
export async function captured(): Promise<{ ground: CaptureGround; services: TestServices } & AsyncDisposable> {
	const ground = await captureGround()
	await ground.start()
	const services = await testServices(ground, { vault: ground.vault, openLineage: false })
	return {
		ground,
		services,
		async [Symbol.asyncDispose]() {
			await services[Symbol.asyncDispose]()
			await ground[Symbol.asyncDispose]()
		},
	}
}

/** Previews a restore and does it. */
export async function restore(services: TestServices, input: Parameters<typeof previewRestore>[2]) {
	const { hash } = await previewRestore(services, admin, input)
	const queued = await startRestore(services, admin, { ...input, hash, reason: 'bring back' })
	const claimed = await claimRestore(services, 'test', 30_000)
	if (claimed) await executeRestore(services, claimed, new AbortController().signal)
	return toRestore(await readRestore(services, queued.id))
}
