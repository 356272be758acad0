import type { Route } from './route.ts'
import { cleanupRoutes } from './routes/cleanup.ts'
import { jobRoutes } from './routes/jobs.ts'
import { planRoutes } from './routes/plans.ts'
import { systemRoutes } from './routes/system.ts'
import { tableRoutes } from './routes/tables.ts'

/** Every call of REST, under the fixed names of the contract. */
export const routes: readonly Route[] = [...tableRoutes, ...planRoutes, ...jobRoutes, ...systemRoutes, ...cleanupRoutes]
