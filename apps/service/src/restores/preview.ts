import { type Finding, type Preview, type PreviewInput, ReprieveError } from '@reprieve/contracts'
import { digest, type Examination, presentPreview } from '@reprieve/restore'
import { awaitBarrier } from '../archive/barrier.ts'
import type { Principal, Services } from '../context.ts'
import { readGaps } from './gaps.ts'
import { archivedThrough, examineFor, toRequest } from './request.ts'

/** Milliseconds that a preview waits for the archive before it says that it is partial. */
const defaultBarrierMs = 10_000

/** Compares a selection with what lives now; changes nothing. Throws NOT_FOUND, INVALID, FORBIDDEN, VAULT_CORRUPT. */
export async function previewRestore(
	services: Services,
	principal: Principal,
	input: PreviewInput,
	options: { barrierMs?: number } = {},
): Promise<Preview> {
	const request = toRequest(input)
	const lag = await lagFinding(services, options.barrierMs ?? defaultBarrierMs)
	const through = await archivedThrough(services)
	return await services.pools.restore.begin('isolation level repeatable read', async (tx) => {
		const examination = await examineFor(services, principal, tx, { request, through })
		const gaps = await readGaps(services, request.selection, tableNames(examination))
		const findings = [...lag, ...gaps]
		const hash = await digest(tx, examination)
		return presentPreview(tx, examination, { hash, complete: findings.length === 0, findings })
	})
}

function tableNames(examination: Examination): string[] {
	return examination.tables.map((table) => table.name)
}

/** Empty when everything committed before the call is in the archive. */
async function lagFinding(services: Services, barrierMs: number): Promise<Finding[]> {
	try {
		await awaitBarrier(services, barrierMs)
		return []
	} catch (error) {
		if (!(error instanceof ReprieveError) || error.code !== 'ARCHIVE_LAGGING') throw error
		return [{ code: 'archiveLagging', message: error.message, remedy: 'Preview again when the archive has caught up.' }]
	}
}
