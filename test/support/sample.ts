import { fillSample, type SampleSize } from '@reprieve/standalone/sample'
import type { TestDatabase } from './postgres.ts'

/** A twentieth of the sample shop: about 45,000 rows. */
export const smallSample: SampleSize = { customers: 2_500, orders: 10_000, sessions: 3_000, today: '2026-11-22' }

/** Fills a database with the sample shop. */
export function fillShop(database: TestDatabase, size: SampleSize = smallSample): Promise<void> {
	return fillSample(database.url, size)
}
