import type { ChangeRows, SourceColumn, SourceTable } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { buildSegment } from './write.ts'

test('others have their turn between the steps of a long segment', async () => {
	const bytes = new Uint8Array(300 * 1024 * 1024)
	const doc = { attnum: 1, name: 'doc', typeOid: 25, typmod: -1, typeName: 'text', typeKind: 'b' } as SourceColumn
	const rows: ChangeRows = {
		...{ table: { columns: [doc], key: [] as string[] } as SourceTable, count: 1 },
		columns: [{ bytes, offsets: Uint32Array.of(0, bytes.length), present: Uint8Array.of(1) }],
		...{ op: Uint8Array.of(0), position: BigUint64Array.of(1n), ordinal: Uint32Array.of(0), xid: Uint32Array.of(1) },
		...{ committedAt: BigInt64Array.of(1n), leaf: [null], rewritten: [null] },
	}
	let turns = 0
	const others = setInterval(() => turns++, 1)
	await buildSegment(rows, [{ name: 'doc', type: 'string', oid: 1, attnum: 1, typeOid: 25 }], {
		path: 'a',
		start: 0,
		end: 1,
	})
	clearInterval(others)
	expect(turns).toBeGreaterThan(1)
})
