import { expect, test } from 'vitest'
import { freshDatabase } from './support/postgres.ts'
import { testServices } from './support/services.ts'

test('the test services open a lineage over a migrated control schema', async () => {
	await using database = await freshDatabase()
	await using services = await testServices(database)
	expect(await services.lineage()).toBe(services.lineageId)
})
