import { createClient } from '@reprieve/client'
import postgres from 'postgres'
import { sampleTables } from './load.ts'

/** Marks the sample database once its tables were protected: who unprotects one later is not overruled. */
const mark = 'reprieve sample, protected'

/** Protects the sample's tables on the first start, and says what came of it. */
export async function protectSample(
	embedded: { databaseUrl: string },
	service: { url: string; adminKey: string },
	say: (line: string) => void,
): Promise<void> {
	const sql = postgres(embedded.databaseUrl, { max: 1, onnotice: () => {} })
	try {
		const [found] = await sql<{ comment: string | null }[]>`
			select shobj_description(oid, 'pg_database') as comment from pg_database where datname = current_database()`
		if (found?.comment === mark) return
		const client = createClient({ url: service.url, apiKey: service.adminKey })
		const { tables } = await client.tables.protect({ tables: [...sampleTables], wait: 30 })
		for (const { table, restorability } of tables) {
			for (const finding of restorability.findings) say(`${table} is ${restorability.status}: ${finding.message}`)
		}
		const ready = tables.filter(({ restorability }) => restorability.status === 'ready')
		say(`protected ${ready.length} of ${tables.length} tables`)
		await sql.unsafe(`comment on database ${quoted(embedded.databaseUrl)} is '${mark}'`)
	} finally {
		await sql.end({ timeout: 5 })
	}
}

function quoted(url: string): string {
	return `"${decodeURIComponent(new URL(url).pathname.slice(1)).replaceAll('"', '""')}"`
}
