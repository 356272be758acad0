import { maskConfig, readConfig } from './config.ts'
import { startService } from './start.ts'

const config = readConfig(process.env)
const service = await startService(config)
service.services.log.info({ config: maskConfig(config), url: service.url }, 'service started')

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
	process.once(signal, () => {
		service.stop().then(
			() => process.exit(0),
			(err) => {
				service.services.log.error({ err }, 'service did not stop cleanly')
				process.exit(70)
			},
		)
	})
}
