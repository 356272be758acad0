import { z } from 'zod'
import { errorCodes } from '../errors.ts'

/** Body of every refusal (RFC 9457); tRPC carries the same object in `data`. */
export const problem = z
	.object({
		type: z.string(),
		title: z.string(),
		status: z.number(),
		detail: z.string(),
		code: z.enum(errorCodes),
		/** What the operator does next. */
		hint: z.string().optional(),
		/** Whether the same call may succeed later unchanged. */
		retryable: z.boolean(),
		requestId: z.string(),
		/** One entry per refused field of the input. */
		issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
		planId: z.string().optional(),
	})
	.meta({ id: 'Problem' })
export type Problem = z.infer<typeof problem>
