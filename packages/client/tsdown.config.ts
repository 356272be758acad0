import { fileURLToPath } from 'node:url'
import { defineConfig } from 'tsdown'

/** Types are rolled up: what is published names neither the contracts nor the service. */
export default defineConfig({
	entry: ['src/index.ts', 'src/drizzle.ts', 'src/postgres.ts'],
	platform: 'neutral',
	format: 'esm',
	target: 'es2023',
	dts: true,
	treeshake: { moduleSideEffects: false },
	deps: { neverBundle: true, alwaysBundle: [/^@reprieve\//] },
	alias: { '@reprieve/service': fileURLToPath(new URL('../../apps/service/src/router.ts', import.meta.url)) },
	outExtensions: () => ({ js: '.js', dts: '.d.ts' }),
})
