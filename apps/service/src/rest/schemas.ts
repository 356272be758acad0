import { where } from '@reprieve/contracts'
import { type ZodType, z } from 'zod'

export type JsonSchema = Record<string, unknown>

/** The named schemas of a document, and a way to add those of another zod schema. */
export type SchemaBook = {
	components: Record<string, JsonSchema>
	/** JSON Schema of what a caller sends, or of what it gets; named parts go to `components`. */
	add(schema: ZodType, io: 'input' | 'output'): JsonSchema
}

/** Starts a book of schemas in the 2020-12 dialect, which is that of OpenAPI 3.1. */
export function createSchemaBook(): SchemaBook {
	const components: Record<string, JsonSchema> = {}
	const add = (schema: ZodType, io: 'input' | 'output'): JsonSchema => {
		const {
			$schema: _,
			$defs,
			...root
		} = z.toJSONSchema(schema, {
			target: 'draft-2020-12',
			io,
			override: ({ zodSchema, jsonSchema }) => adjust(zodSchema, jsonSchema as JsonSchema, io),
		}) as JsonSchema & { $defs?: Record<string, JsonSchema> }
		const names = nameDefinitions($defs ?? {}, components, io)
		for (const [name, definition] of Object.entries($defs ?? {})) {
			components[names[name] as string] = rewritten(definition, names)
		}
		return rewritten(root, names)
	}
	add(where, 'output')
	return { components, add }
}

function adjust(zodSchema: unknown, schema: JsonSchema, io: 'input' | 'output'): void {
	if (zodSchema === where && io === 'input') Object.assign(schema, { $ref: '#/$defs/Where' })
	// An answer may grow: a client that refused unknown members would break on the next release.
	if (io === 'output' && schema.additionalProperties === false) delete schema.additionalProperties
	delete schema.id
}

/** A name whose input differs from its output (defaults) gets a second entry, `<name>Input`. */
function nameDefinitions(
	definitions: Record<string, JsonSchema>,
	components: Record<string, JsonSchema>,
	io: 'input' | 'output',
): Record<string, string> {
	const names = Object.keys(definitions).map((name) => {
		const isNew = io === 'output' || !(name in components) || name === 'Where'
		return [name, isNew || isEqual(rewritten(definitions[name] ?? {}, {}), components[name]) ? name : `${name}Input`]
	})
	return { Where: 'Where', ...Object.fromEntries(names) }
}

function isEqual(left: unknown, right: unknown): boolean {
	return JSON.stringify(left) === JSON.stringify(right)
}

function rewritten(schema: JsonSchema, names: Record<string, string>): JsonSchema {
	const text = JSON.stringify(schema, (key, value) => {
		if (key !== '$ref' || typeof value !== 'string') return value
		const name = value.replace('#/$defs/', '')
		return `#/components/schemas/${names[name] ?? name}`
	})
	return JSON.parse(text) as JsonSchema
}
