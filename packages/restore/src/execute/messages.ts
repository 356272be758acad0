import { type Signer, signMessage } from '@reprieve/cdc'
import { messagePrefix, type Overwritten, quoteIdentifier, type Tag } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import type { Unique } from '../catalog/uniques.ts'
import { keyUnique, sameKey } from '../preview/key.ts'
import { ownRows, storedColumns, textOf } from '../stage/columns.ts'
import type { Stage } from '../stage/open.ts'

/** Who restores, for the transaction's signed messages. */
export type Signature = { signer: Signer; lineage: string; id: string; actor: string; reason: string }

/** Rows in one overwrite message. */
const messageRows = 500

/** Emits the tag: the first message of a restore's transaction. Answers the transaction's id. */
export async function emitTag(tx: Transaction, by: Signature, batch: number): Promise<string> {
	const [row] = await tx<{ xid: string }[]>`select pg_current_xact_id()::text as xid`
	const xid = row?.xid ?? ''
	const tag: Tag = { kind: 'restore', lineage: by.lineage, xid, id: by.id, batch, actor: by.actor, reason: by.reason }
	await tx`select pg_logical_emit_message(true, ${messagePrefix.tag}, ${signMessage(by.signer, messagePrefix.tag, tag)})`
	return xid
}

/** Emits the images of the live rows that are about to be overwritten, so that the archive has them. */
export async function emitOverwritten(
	tx: Transaction,
	by: Signature,
	stage: Stage,
	at: { batch: number; xid: string; uniques: Unique[] },
): Promise<void> {
	const columns = storedColumns(stage.live)
	const key = keyUnique(stage.live, at.uniques)
	const texts = columns.map((column) => textOf(`t.${quoteIdentifier(column.name)}`))
	const images = tx.unsafe<{ image: (string | null)[] }[]>(
		`select to_json(array[${texts.join(', ')}]::text[]) as image
		from ${stage.sql} s join ${stage.fate} f on f.n = s.${stage.book.n} and f.state = 'different'
		join ${ownRows(stage.live)} t on ${sameKey(stage.live, key, 's', 't')} order by f.n`,
	)
	const rows = (await images).map((row) => row.image)
	for (let from = 0; from < rows.length; from += messageRows) {
		const body: Overwritten = {
			lineage: by.lineage,
			xid: at.xid,
			id: by.id,
			batch: at.batch,
			table: stage.archivedName,
			oid: stage.live.oid,
			columns: columns.map((column) => column.name),
			rows: rows.slice(from, from + messageRows),
		}
		const message = signMessage(by.signer, messagePrefix.overwrite, body)
		await tx`select pg_logical_emit_message(true, ${messagePrefix.overwrite}, ${message})`
	}
}
