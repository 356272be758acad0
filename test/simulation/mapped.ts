import type { Relation } from '@reprieve/cdc'
import { formatTableName } from '@reprieve/contracts'
import { type Assembler, type Mapping, makeMapping, matchRelation } from '@reprieve/sidecar/steps'
import type { VaultTable } from '@reprieve/vault'
import { relations } from './catalog.ts'

type Buffers = ConstructorParameters<typeof Assembler>[0]['relations']['buffers']
type Buffer = Buffers extends ReadonlyMap<string, infer B> ? B : never

/** Relations of the stream as the simulated catalog knows them; a buffer for each root. */
export class MappedRelations<B extends Buffer> {
	readonly buffers = new Map<string, B>()
	readonly #mappings = new Map<number, Mapping>()
	readonly #tableOf: (name: { schema: string; name: string }) => VaultTable
	readonly #openBuffer: (label: string, table: VaultTable) => Promise<B>

	constructor(parts: {
		tableOf: (name: { schema: string; name: string }) => VaultTable
		openBuffer: (label: string, table: VaultTable) => Promise<B>
	}) {
		this.#tableOf = parts.tableOf
		this.#openBuffer = parts.openBuffer
	}

	get(oid: number): Mapping | undefined {
		return this.#mappings.get(oid)
	}

	async resolve(relation: Relation): Promise<void> {
		const known = Object.values(relations).find(({ oid }) => oid === relation.oid)
		if (!known) throw new Error(`the catalog has no relation ${relation.oid}`)
		const { root, facts } = known
		const label = formatTableName(root)
		const buffer = this.buffers.get(label) ?? (await this.#openBuffer(label, this.#tableOf(root)))
		this.buffers.set(label, buffer)
		const match = matchRelation(relation, { catalog: root })
		if (!match) throw new Error(`${label} does not match its catalog`)
		this.#mappings.set(relation.oid, makeMapping({ relation, facts, match, archived: undefined, buffer }))
	}
}
