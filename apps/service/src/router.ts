import { archive } from './routers/archive.ts'
import { audit } from './routers/audit.ts'
import { cleanupRouter } from './routers/cleanup.ts'
import { plans } from './routers/plans.ts'
import { policies } from './routers/policies.ts'
import { restores } from './routers/restores.ts'
import { runs } from './routers/runs.ts'
import { system } from './routers/system.ts'
import { tables } from './routers/tables.ts'
import { tokens } from './routers/tokens.ts'
import { createRouter } from './trpc.ts'

export const router = createRouter({
	tables,
	policies,
	plans,
	runs,
	archive,
	restores,
	tokens,
	audit,
	system,
	cleanup: cleanupRouter,
})

/** What the typed client imports, as a type alone. */
export type AppRouter = typeof router
