import { createHash, randomUUID } from 'node:crypto'
import { httpStatus, type Problem, ReprieveError } from '@reprieve/contracts'
import type { TRPCError } from '@trpc/server'
import { type Act, appendAudit } from './audit/append.ts'
import { canonicalJson } from './audit/chain.ts'
import { describeInput, targetOf } from './audit/describe.ts'
import type { Principal, Services } from './context.ts'
import { asReprieveError, problemOf } from './errors.ts'
import { claimKey, type KeyedCall, keepClaim } from './idempotency/claim.ts'
import { freeKey, settleKey } from './idempotency/settle.ts'
import { requestId } from './request.ts'

type Command = { services: Services; principal: Principal; path: string; input: unknown; secret: boolean }
type Result = { ok: true; data: unknown } | { ok: false; error: TRPCError }
type Answer = { ok: true; data: unknown } | { ok: false; problem: Problem } | { ok: true; secret: true }

/**
 * Runs a command once per idempotency key, with an audit entry before it and one after it. The one after commits with
 * the stored answer; where the first cannot be written, nothing is done. `next` is given the id of what the command makes,
 * which is the same however often the command is repeated under one key.
 */
export async function record<R extends Result>(command: Command, next: (id: string) => Promise<R>): Promise<R> {
	const { services } = command
	const call = keyedCall(command)
	const claimed = call ? await claim(command, call) : { id: randomUUID() }
	if ('answer' in claimed) return replayed<R>(claimed.answer as Answer)
	try {
		await services.control.db.transaction((tx) => appendAudit(tx, services, actOf(command, 'asked')))
	} catch (cause) {
		if (call) await services.control.db.transaction((tx) => freeKey(tx, call)).catch(() => {})
		throw cause
	}
	const stopKeeping = call ? keepClaim(services, call) : () => {}
	const result = await next(claimed.id).finally(stopKeeping)
	await settle(command, call, result)
	return result
}

/** Records that a command or a read was refused before it began. */
export async function recordRefusal(
	services: Services,
	principal: Principal,
	path: string,
	error: ReprieveError,
	input?: unknown,
): Promise<void> {
	const act = actOf({ services, principal, path, input, secret: false }, error.code)
	await services.control.db.transaction((tx) => appendAudit(tx, services, act))
}

async function claim(command: Command, call: KeyedCall): ReturnType<typeof claimKey> {
	try {
		return await claimKey(command.services, call)
	} catch (cause) {
		if (cause instanceof ReprieveError) {
			await recordRefusal(command.services, command.principal, command.path, cause, command.input)
		}
		throw cause
	}
}

async function settle(command: Command, call: KeyedCall | undefined, result: Result): Promise<void> {
	const { services } = command
	const error = result.ok ? undefined : asReprieveError(result.error)
	await services.control.db.transaction(async (tx) => {
		await appendAudit(tx, services, actOf(command, error?.code ?? 'ok'))
		if (!call) return
		const answer = answerOf(command, result, error)
		await (answer ? settleKey(tx, call, answer) : freeKey(tx, call))
	})
}

/** What a repeated call gets; undefined when it may try again. */
function answerOf(command: Command, result: Result, error: ReprieveError | undefined): Answer | undefined {
	if (result.ok) return command.secret ? { ok: true, secret: true } : { ok: true, data: result.data }
	if (!error || error.retryable || httpStatus[error.code] >= 500 || error.code === 'INVALID') return undefined
	return { ok: false, problem: problemOf(error, requestId()) }
}

/** The stored answer as what the procedure itself would have given; tRPC looks at `ok`, `data` and `error` alone. */
function replayed<R>(answer: Answer): R {
	if ('secret' in answer) {
		throw new ReprieveError('CONFLICT', 'this call was answered before, with a secret that is shown once', {
			hint: 'Revoke the key that was made and make another with a new idempotency key.',
		})
	}
	if (answer.ok) return answer as R
	const { code, detail, ...options } = answer.problem
	throw new ReprieveError(code, detail, options)
}

function keyedCall(command: Command): KeyedCall | undefined {
	if (typeof command.input !== 'object' || command.input === null) return undefined
	const { idempotencyKey: key, ...rest } = command.input as { idempotencyKey?: unknown }
	if (typeof key !== 'string' || key.length < 1 || key.length > 200) return undefined
	const body = createHash('sha256').update(canonicalJson(rest)).digest('hex')
	return { principal: command.principal.id, procedure: command.path, key, body }
}

function actOf(command: Command, outcome: string): Act {
	return {
		principal: command.principal,
		act: command.path,
		target: targetOf(command.input),
		outcome,
		requestId: requestId(),
		detail: describeInput(command.input),
	}
}
