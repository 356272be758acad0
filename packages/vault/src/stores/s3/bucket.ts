import type * as sdk from '@aws-sdk/client-s3'
import type { S3Address } from './address.ts'
import { failed, isPassing } from './failure.ts'

export type S3Options = S3Address & {
	credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string }
	/** Tries of one request before it fails. Default 6. */
	attempts?: number
	/** Milliseconds at most before the second try; doubles up to 5 s. Default 100. */
	backoffMs?: number
	/** Milliseconds for one try, beside what its bytes take. Default 30 s. */
	timeoutMs?: number
}

/** A bucket as requests see it. */
export type Bucket = {
	name: string
	/** The object's key in the bucket. */
	keyOf(key: string): string
	/** Inverse of {@link keyOf}. */
	ownKey(key: string): string
	/** Tries a request until it succeeds or fails for good. Throws what {@link failed} makes of it, naming endpoint, bucket and key. */
	request<T>(key: string, act: Act<T>, bytes?: number): Promise<T>
}

/** One try: `signal` ends it, later if `allow` told that so many bytes are to come. */
export type Act<T> = (client: {
	s3: sdk.S3Client
	commands: typeof sdk
	signal: AbortSignal
	allow(bytes: number): void
}) => Promise<T>

/** Bytes a second below which a transfer counts as stuck. */
const slowest = 256 * 1024

/** Opens a bucket; the SDK is loaded with the first request, so that a vault in a folder never loads it. */
export function openBucket(options: S3Options): Bucket {
	const { bucket: name, prefix, attempts = 6, backoffMs = 100, timeoutMs = 30_000 } = options
	const start = prefix === '' ? '' : `${prefix}/`
	let connecting: ReturnType<typeof connect> | undefined
	return {
		name,
		keyOf: (key) => start + key,
		ownKey: (key) => key.slice(start.length),
		async request(key, act, bytes = 0) {
			connecting ??= connect(options)
			const client = await connecting
			for (let attempt = 1; ; attempt++) {
				using deadline = startDeadline(timeoutMs)
				deadline.allow(bytes)
				try {
					return await act({ ...client, ...deadline })
				} catch (error) {
					const failure = deadline.signal.aborted ? deadline.signal.reason : error
					if (attempt >= attempts || !isPassing(failure))
						throw failed(`s3://${name}/${start}${key} at ${client.endpoint}`, failure)
					await pause(Math.random() * Math.min(5_000, backoffMs * 2 ** (attempt - 1)))
				}
			}
		},
	}
}

/** The SDK reads the endpoint from its variables itself, but takes host names for it unless told otherwise. */
async function connect({ region, endpoint, isPathStyle, credentials }: S3Options) {
	const commands = await import('@aws-sdk/client-s3')
	const given = endpoint ?? process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL
	const s3 = new commands.S3Client({
		...(endpoint ? { endpoint } : {}),
		...regionOf(region, given),
		...(credentials ? { credentials } : {}),
		forcePathStyle: isPathStyle ?? given !== undefined,
		maxAttempts: 1,
		requestHandler: { connectionTimeout: 5_000 },
	})
	return { s3, commands, endpoint: given === undefined ? 'AWS' : (URL.parse(given)?.host ?? 'an unreadable endpoint') }
}

/** Servers of one's own seldom have regions, yet a signature names one. */
function regionOf(region: string | undefined, endpoint: string | undefined): { region?: string } {
	if (region) return { region }
	const isNamed = process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION
	return endpoint === undefined || isNamed ? {} : { region: 'us-east-1' }
}

function startDeadline(ms: number) {
	const ending = new AbortController()
	const overdue = Object.assign(new Error('the server took too long'), { name: 'TimeoutError' })
	let at = performance.now() + ms
	let timer: NodeJS.Timeout | undefined
	return {
		signal: ending.signal,
		allow(bytes: number) {
			clearTimeout(timer)
			at += (bytes / slowest) * 1000
			timer = setTimeout(() => ending.abort(overdue), at - performance.now())
		},
		[Symbol.dispose]: () => clearTimeout(timer),
	}
}

async function pause(ms: number): Promise<void> {
	await new Promise((resolve) => setTimeout(resolve, ms))
}
