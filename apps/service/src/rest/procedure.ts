import type { AnyProcedure } from '@trpc/server'
import type { ZodObject, ZodType } from 'zod'
import type { Meta } from '../meta.ts'
import { router } from '../router.ts'
import type { Route } from './route.ts'

/** What a procedure declares, as its projection needs it. */
export type Declared = { type: string; meta: Meta; input: ZodObject; output: ZodType }

/** The declarations behind a route. Every procedure of this router takes one zod object and declares its output. */
export function declared(route: Route): Declared {
	const procedures = router._def.procedures as unknown as Record<string, AnyProcedure>
	const def = procedures[route.procedure]?._def as unknown as {
		type: string
		meta: Meta
		inputs: [ZodObject]
		output: ZodType
	}
	if (!def) throw new Error(`route ${route.path} names ${route.procedure}, which is no procedure`)
	return { type: def.type, meta: def.meta, input: def.inputs[0], output: def.output }
}

/** Whether the procedure takes an idempotency key. */
export function acceptsIdempotencyKey(route: Route): boolean {
	return 'idempotencyKey' in declared(route).input.shape
}
