import type { AnyProcedure } from '@trpc/server'
import type { ZodObject, ZodType } from 'zod'
import type { Meta } from '../meta.ts'
import { router } from '../router.ts'
import type { Call } from '../trpc.ts'
import type { Route } from './route.ts'

/** What a procedure declares, as its projection needs it. */
export type Declared = { type: string; meta: Meta; input: ZodObject; output: ZodType }

/** The declarations behind a route. Every procedure of this router takes one zod object and declares its output. */
export function declared(route: Route): Declared {
	const def = procedureOf(route)._def as unknown as {
		type: string
		meta: Meta
		inputs: [ZodObject]
		output: ZodType
	}
	return { type: def.type, meta: def.meta, input: def.inputs[0], output: def.output }
}

/** Calls a route's procedure, which checks input and output. Looked up once a route: tRPC's caller does so at each call. */
export function callerOf(route: Route): (call: Call, input: unknown) => Promise<unknown> {
	const procedure = procedureOf(route)
	const fixed = { path: route.procedure, type: procedure._def.type, signal: undefined, batchIndex: 0 }
	return (ctx, input) => procedure({ ...fixed, ctx, getRawInput: async () => input })
}

function procedureOf(route: Route): AnyProcedure {
	const procedures = router._def.procedures as unknown as Record<string, AnyProcedure>
	const procedure = procedures[route.procedure]
	if (!procedure) throw new Error(`route ${route.path} names ${route.procedure}, which is no procedure`)
	return procedure
}

/** Whether the procedure takes an idempotency key. */
export function acceptsIdempotencyKey(route: Route): boolean {
	return 'idempotencyKey' in declared(route).input.shape
}
