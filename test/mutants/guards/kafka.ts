import type { Mutant } from '../mutant.ts'

const frames = 'apps/sidecar/src/frames'
const kafka = 'apps/sidecar/src/kafka'

export const kafkaGuards: Mutant[] = [
	{
		name: 'releases log that brokers have which nobody called replicated',
		rule: 'P2',
		file: `${kafka}/releases.ts`,
		before: 'this.#options.isBrokerTrusted() && this.#sent > this.#archived ?',
		after: 'this.#sent > this.#archived ?',
		tests: {
			[`${kafka}/releases.test.ts`]: ['what the vault has is named before it is released, and nothing beyond it'],
		},
	},
	{
		name: 'releases log after its lease went',
		rule: '1.1',
		file: `${kafka}/releases.ts`,
		before: 'lease: { check: async () => lease.checkTaken() },',
		after: 'lease: { check: () => lease },',
		tests: { [`${kafka}/releases.test.ts`]: ['a lease that is known to be gone ends it, also with trusted brokers'] },
	},
	{
		name: 'passes over a hole in the frames',
		rule: '8.1',
		file: `${frames}/chain.ts`,
		before: "if (state.session === session || !isStart(state, frame)) return { kind: 'hole' }",
		after: '',
		tests: { [`${frames}/chain.test.ts`]: ['leaves out a transaction', 'leaves out a row of the same transaction'] },
	},
	{
		name: 'takes rows behind a hole',
		rule: '8.1',
		file: `${frames}/partition.ts`,
		before: "if (link.kind === 'hole') {",
		after: "if (link.kind === 'hole' && !frame) {",
		tests: { [`${frames}/partition.test.ts`]: ['nothing is taken behind a hole until it is healed'] },
	},
	{
		name: 'takes a repeated frame again',
		rule: '8.1',
		file: `${frames}/partition.ts`,
		before: 'while (row < rows.count && comparePlaces(placeOf(rows, row), covered) <= 0) row++',
		after: 'while (row < 0 && comparePlaces(placeOf(rows, row), covered) <= 0) row++',
		tests: { [`${frames}/partition.test.ts`]: ['what overlaps is taken once'] },
	},
	{
		name: 'writes a receipt before every share of its transaction is there',
		rule: '8.3',
		file: `${frames}/coverage.ts`,
		before: "if (position > (sources.get(source) ?? -1n)) return 'awaited'",
		after: '',
		tests: { [`${frames}/coverage.test.ts`]: ['in its log, a share at 100 of partition 2 is'] },
	},
	{
		name: 'counts rows in a receipt that are lost',
		rule: '8.3',
		file: `${frames}/coverage.ts`,
		before: "position <= to) return 'missing'",
		after: "position <= to) return 'covered'",
		tests: { [`${frames}/coverage.test.ts`]: ['in its log, a share at 100 of partition 2 is'] },
	},
	{
		name: 'takes a record that nobody signed',
		rule: '8.1',
		file: 'packages/cdc/src/frame/record.ts',
		before: 'if (!timingSafeEqual(signature, signatureOf(record, key))) throw unsigned(record)',
		after: '',
		tests: { 'packages/cdc/src/frame/record.test.ts': ['a record with any bit changed is refused'] },
	},
	{
		name: 'hands frames over out of order',
		rule: '8.1',
		file: `${kafka}/order.ts`,
		before: 'return compare(a.rows, a.at, b)',
		after: 'return -compare(a.rows, a.at, b)',
		tests: {
			[`${kafka}/order.test.ts`]: ['rows of versions that interleave become runs in the order of their places'],
		},
	},
	{
		name: 'places a row by more than its key',
		rule: '8.2',
		file: 'packages/cdc/src/frame/placement.ts',
		before: 'if (table.key.length === 0) return columns',
		after: 'if (table.key.length >= 0) return columns',
		tests: {
			'packages/cdc/src/frame/placement.test.ts': ['depends on the columns of the key alone, in the order of the key'],
		},
	},
	{
		name: 'forgets that a value is NULL when it reads a frame',
		rule: 'P7',
		file: 'packages/cdc/src/frame/decode-rows.ts',
		before: 'column.hasNulls ? buffers.bytes(count) :',
		after: 'column.hasNulls ? buffers.bytes(count).fill(1) :',
		tests: { 'packages/cdc/src/frame/golden.test.ts': ['is read from its records'] },
	},
]
