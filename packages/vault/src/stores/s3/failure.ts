import { ReprieveError } from '@reprieve/contracts'
import { corrupt } from '../../seal.ts'

/** What the SDK throws, as far as it matters here. */
type Thrown = Error & { code?: string; $metadata?: { httpStatusCode?: number; requestId?: string } }

/** HTTP status of a failed request, undefined when no answer came. */
export function statusOf(error: unknown): number | undefined {
	return (error as Thrown).$metadata?.httpStatusCode
}

/** S3's own code of a failure (`NoSuchKey`), else the error's name. */
export function nameOf(error: unknown): string {
	const { name, code } = error as Thrown
	return name === 'Error' && code ? code : name
}

/** An object is absent only if the server says so of the key: a missing bucket or user answers 404 too. */
export function isAbsence(error: unknown): boolean {
	return statusOf(error) === 404 && ['NoSuchKey', 'NotFound'].includes(nameOf(error))
}

const badCredentials = new Set([
	'InvalidAccessKeyId',
	'SignatureDoesNotMatch',
	'ExpiredToken',
	'InvalidToken',
	'TokenRefreshRequired',
	'XAdminUserNotFound',
	'CredentialsProviderError',
])

/** Whether the server refused who asks, not what is asked. */
export function isStranger(error: unknown): boolean {
	return badCredentials.has(nameOf(error))
}

/** What changed on its way, or came at a bad moment, though the status is that of a wrong request. */
const passing = new Set([
	'RequestTimeout',
	'RequestTimeTooSkewed',
	'BadDigest',
	'IncompleteBody',
	'XAmzContentChecksumMismatch',
	'XAmzContentSHA256Mismatch',
	'ConditionalRequestConflict',
	'OperationAborted',
])

/** Whether the same request may succeed a moment later. */
export function isPassing(error: unknown): boolean {
	const status = statusOf(error)
	if (error instanceof ReprieveError || isStranger(error)) return false
	if (status === undefined || status < 300)
		return !(error instanceof TypeError) && !/Region is missing/.test(String(error))
	return status >= 500 || status === 408 || status === 409 || status === 429 || passing.has(nameOf(error))
}

/** The error of an object that came whole, with another checksum than the one kept beside it. */
export function mismatch(message: string): Error {
	return Object.assign(new Error(message), { name: 'ChecksumMismatch' })
}

/** The SDK has no name for what it finds of this kind. */
function isMismatch(error: unknown): boolean {
	return nameOf(error) === 'ChecksumMismatch' || /^Checksum mismatch/.test((error as Error).message)
}

/**
 * The error of a request that failed for good: VAULT_CORRUPT when every try brought an object that its checksum denies, else
 * VAULT_UNAVAILABLE. Its cause repeats nothing of the request: a header may hold a token.
 */
export function failed(place: string, error: unknown): ReprieveError {
	if (error instanceof ReprieveError) return error
	const { message, $metadata } = error as Thrown
	if (isMismatch(error)) return corrupt(place, message)
	const status = $metadata?.httpStatusCode === undefined ? '' : ` (${$metadata.httpStatusCode})`
	return new ReprieveError('VAULT_UNAVAILABLE', `${place}: ${nameOf(error)}${status}: ${message}`, {
		hint: hintOf(error),
		cause: Object.assign(new Error(message), { name: nameOf(error), requestId: $metadata?.requestId }),
	})
}

function hintOf(error: unknown): string {
	const [name, status] = [nameOf(error), statusOf(error)]
	if (name === 'CredentialsProviderError')
		return 'No credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or give the machine a role.'
	if (isStranger(error))
		return 'The server does not accept these credentials: check the access key, its secret and its session token.'
	if (name === 'RequestTimeTooSkewed') return "This machine's clock and the server's differ: set both right."
	if (name === 'NoSuchBucket') return 'Create the bucket, or correct its name in REPRIEVE_VAULT.'
	if (
		status === 301 ||
		status === 307 ||
		name === 'AuthorizationHeaderMalformed' ||
		/Region is missing/.test(String(error))
	)
		return "Set AWS_REGION to the bucket's region."
	if (status === 403)
		return "The bucket's policy forbids it: docs/reference/vault.md lists the actions that the vault needs."
	if (status === undefined) return 'Check AWS_ENDPOINT_URL, the network and its proxies; the server did not answer.'
	return "Check the server's state; it is tried again."
}
