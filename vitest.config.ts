import { defineConfig } from 'vitest/config'

export default defineConfig({
	test: {
		projects: [
			{
				test: {
					name: 'unit',
					include: ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'test/words/**/*.test.ts'],
				},
			},
			{
				test: {
					name: 'real',
					include: ['test/**/*.test.ts'],
					exclude: ['test/words/**', '**/node_modules/**'],
					globalSetup: ['test/support/global-setup.ts'],
					testTimeout: 60_000,
					hookTimeout: 60_000,
					pool: 'forks',
				},
			},
		],
	},
})
