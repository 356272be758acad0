import { defineConfig } from 'vitest/config'

export default defineConfig({
	test: {
		// Most of a real-server test is waiting for the server: more workers than cores.
		maxWorkers: 3,
		projects: [
			{
				test: {
					name: 'unit',
					include: [
						'packages/*/src/**/*.test.ts',
						'apps/*/src/**/*.test.ts',
						'test/words/**/*.test.ts',
						'test/simulation/**/*.test.ts',
						'test/vault/{racing,rot}.test.ts',
					],
				},
			},
			{
				test: {
					name: 'real',
					include: ['test/**/*.test.ts'],
					exclude: ['test/words/**', 'test/simulation/**', 'test/vault/{racing,rot}.test.ts', '**/node_modules/**'],
					globalSetup: ['test/support/global-setup.ts'],
					testTimeout: 60_000,
					hookTimeout: 60_000,
					pool: 'forks',
				},
			},
		],
	},
})
