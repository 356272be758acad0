import type { Context } from 'hono'
import type { Principal } from '../context.ts'
import { shareByKey } from '../share.ts'
import type { Call } from '../trpc.ts'

/** What a procedure answered, as it goes out. */
export type Answered = { status: number; location?: string | undefined; text: string }

/** A request, and the parameters of its path. */
export type Asked = { c: Context; given: Record<string, string> }

/** Asks the procedure of a route. */
export type Ask = (asked: Asked, call: Call, principal: Principal) => Promise<Answered>

/**
 * Reads of one address by one key that come at once share an answer, which was asked for after they came. Each counts as a
 * call, and whose share was refused asks for itself: its refusal is its own. An address with a query is not shared: it may
 * wait for something.
 */
export function askTogether(ask: Ask): Ask {
	const share = shareByKey<Answered>()
	return async (asked, call, principal) => {
		const { url } = asked.c.req
		if (url.includes('?')) return ask(asked, call, principal)
		let isOwn = false
		const own = () => {
			isOwn = true
			return ask(asked, call, principal)
		}
		let answered: Answered | undefined
		try {
			answered = await share(`${principal.id} ${url}`, own)
		} catch (refusal) {
			if (isOwn) throw refusal
		}
		if (!answered) return ask(asked, call, principal)
		if (!isOwn) call.rate.take(principal.id)
		return answered
	}
}
