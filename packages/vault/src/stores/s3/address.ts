import { ReprieveError } from '@reprieve/contracts'

/** Where a bucket is; what is absent is found as the AWS SDK finds it, by its own variables and files. */
export type S3Address = {
	bucket: string
	/** Put before every key; without slashes at its ends, '' for the whole bucket. */
	prefix: string
	region?: string
	endpoint?: string
	/** Whether the bucket stands in the path instead of the host name. Default: with an endpoint of one's own. */
	isPathStyle?: boolean
}

const form = 'Write s3://bucket/prefix, with ?region=, ?endpoint= and ?path-style= as needed.'
const known = ['region', 'endpoint', 'path-style']

/** Reads `s3://bucket/prefix?region=...&endpoint=...&path-style=...`. Throws INVALID, which never repeats a password. */
export function parseS3Address(text: string): S3Address {
	const url = URL.parse(text)
	if (url?.protocol !== 's3:') throw invalid('that is not the address of a bucket')
	if (url.username || url.password || url.port)
		throw invalid('credentials and ports have no place in the address of a bucket')
	const prefix = decoded(url.pathname).replace(/^\/+|\/+$/g, '')
	if (!/^[a-z0-9][a-z0-9._-]{1,62}$/i.test(url.hostname)) throw invalid(`"${url.hostname}" is not the name of a bucket`)
	if (prefix.includes('//')) throw invalid(`"${prefix}" is not a prefix`)
	const unknown = [...url.searchParams.keys()].find((name) => !known.includes(name))
	if (unknown) throw invalid(`"${unknown}" is not an option`)
	return {
		bucket: url.hostname,
		prefix,
		region: url.searchParams.get('region') ?? undefined,
		endpoint: endpointOf(url.searchParams.get('endpoint')),
		isPathStyle: flagOf(url.searchParams.get('path-style')),
	}
}

function decoded(path: string): string {
	try {
		return decodeURIComponent(path)
	} catch {
		throw invalid(`"${path}" is not encoded as a URL`)
	}
}

function endpointOf(text: string | null): string | undefined {
	if (text === null) return undefined
	const url = URL.parse(text)
	if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password)
		throw invalid('an endpoint is written https://host:port, without credentials')
	return url.origin + url.pathname.replace(/\/+$/, '')
}

function flagOf(text: string | null): boolean | undefined {
	if (text === null) return undefined
	if (text !== 'true' && text !== 'false') throw invalid(`path-style is true or false, not "${text}"`)
	return text === 'true'
}

function invalid(problem: string): ReprieveError {
	return new ReprieveError('INVALID', `address of the vault: ${problem}`, { hint: form })
}
