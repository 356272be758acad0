import { apiKeys, keepSecret } from '@reprieve/control'
import { eq } from 'drizzle-orm'
import type { Config } from '../config.ts'
import type { Services } from '../context.ts'
import { createSecret, hashSecret } from './keys.ts'

/**
 * Makes sure that a first admin key exists, stored by hash once and never replaced. Without REPRIEVE_ADMIN_KEY it is
 * generated into `admin-key` in the data folder. Safe for several services at once on one database.
 */
export async function bootstrapAdmin(services: Services, config: Config): Promise<void> {
	const { db } = services.control
	const [existing] = await db.select().from(apiKeys).where(eq(apiKeys.id, 'bootstrap'))
	if (existing && !config.adminKey) return
	const secret = config.adminKey ?? (await keepSecret(config.data, 'admin-key', createSecret))
	const hash = hashSecret(secret)
	await db
		.insert(apiKeys)
		.values({
			id: 'bootstrap',
			name: 'bootstrap',
			role: 'admin',
			hash,
			createdBy: 'bootstrap',
			createdAt: now(services),
		})
		// Whichever of its two unique indexes tells of another service that was as fast.
		.onConflictDoNothing()
	if (existing && existing.hash !== hash) {
		services.log.warn('REPRIEVE_ADMIN_KEY differs from the first admin key stored; the stored one stays valid')
	}
}

function now(services: Services): string {
	return services.clock.now().toISOString()
}
