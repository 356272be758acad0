import { ReprieveError } from '@reprieve/contracts'
import { openSessions, readIdentity } from '@reprieve/postgres'
import { openVaultAt, type Vault } from '@reprieve/vault'
import type { ProcessConfig } from '../config.ts'

/** The vault of the database served. Throws UNAVAILABLE when the database cannot be reached. */
export async function openVaultOf({
	sidecar,
	vault,
	vaultKey,
}: ProcessConfig): Promise<{ vault: Vault; database: string }> {
	const sql = openSessions(sidecar.databaseUrl, { applicationName: 'reprieve sidecar', max: 1 })
	try {
		const { database } = await readIdentity(sql)
		return { vault: openVaultAt(vault, database, { segmentKeys: vaultKey }), database }
	} catch (error) {
		if (error instanceof ReprieveError) throw error
		throw new ReprieveError('UNAVAILABLE', `the database cannot be reached: ${(error as Error).message}`, {
			cause: error,
		})
	} finally {
		await sql.end({ timeout: 5 })
	}
}
