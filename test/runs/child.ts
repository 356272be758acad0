import { readConfig } from '../../apps/service/src/config.ts'
import { startWorkers } from '../../apps/service/src/runs/worker/loop.ts'
import { openServices } from '../../apps/service/src/services.ts'

/** Run workers in a process of their own, so that it can be killed: `node child.ts <environment as JSON>`. */
const services = await openServices(
	readConfig({ ...JSON.parse(process.argv[2] ?? '{}'), REPRIEVE_LOG_LEVEL: 'silent' }),
)
await startWorkers(services, { leaseMs: 600, pollMs: 50 })
process.stdout.write('working\n')
