import { httpStatus } from '@reprieve/contracts'
import { getPath } from 'hono/utils/url'
import type { Services } from './context.ts'
import { asReprieveError } from './errors.ts'
import type { Bindings, Fetch, Served } from './listen.ts'
import type { Metrics } from './metrics.ts'
import { request, requestId } from './request.ts'
import { problemResponse } from './rest/answer.ts'
import { refuseAmbiguous } from './unreadable.ts'

/** Counts and logs each request around whatever answers it: a middleware of the router would cost a chain of its own. */
export function observed(answer: Fetch, log: Services['log'], metrics: Pick<Metrics, 'answered' | 'refused'>): Served {
	const answers = log.child({}, { redact: { paths: [] } })
	const observe = async (raw: Request, env: Bindings, requestId: string) => {
		const startedAt = performance.now()
		const response = refuseAmbiguous(env.incoming) ?? (await answerOf(raw, env))
		const { method } = raw
		const path = getPath(raw)
		const { status } = response
		const milliseconds = Math.round(performance.now() - startedAt)
		metrics.answered(method, path, status, milliseconds / 1000)
		answers.info({ requestId, method, path, status, milliseconds }, 'answered')
		return response
	}
	const answerOf = async (raw: Request, env: Bindings) => {
		try {
			return await answer(raw, env)
		} catch (error) {
			return failed(error, log)
		}
	}
	return {
		fetch: (raw, env) => request.run({ id: env.outgoing.id }, () => observe(raw, env, env.outgoing.id)),
		refused(requestId, status) {
			metrics.refused(status)
			answers.info({ requestId, status }, 'refused')
		},
	}
}

/** The answer to what was thrown; a failure inside is logged. */
export function failed(error: unknown, log: Services['log']): Response {
	const { code } = asReprieveError(error)
	if (httpStatus[code] >= 500) log.error({ err: error, requestId: requestId() }, 'request failed')
	return problemResponse(error)
}
