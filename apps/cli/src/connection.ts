import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Client, createClient } from '@reprieve/client'
import { ReprieveError } from '@reprieve/contracts'
import type { Io } from './io.ts'

export type ConnectionOptions = { url?: string; keyFile?: string }

const defaultUrl = 'http://127.0.0.1:4400'

/** The client for `--url` or REPRIEVE_URL, with the key of `--key-file`, REPRIEVE_API_KEY or `.reprieve/admin-key`. Throws UNAUTHENTICATED, INVALID. */
export function openClient(options: ConnectionOptions, io: Io): Client {
	const url = options.url ?? (io.env.REPRIEVE_URL || defaultUrl)
	requireAddress(url)
	const apiKey = findKey(options, io)
	requireKey(apiKey)
	return createClient({ url, apiKey })
}

function requireAddress(url: string): void {
	if (/^https?:$/.test(URL.parse(url)?.protocol ?? '')) return
	throw new ReprieveError('INVALID', `"${url}" is not the address of a service`, {
		hint: 'Write it as http://host:port, or https://host.',
	})
}

/** What no header can carry would look like a service that does not answer. */
function requireKey(key: string): void {
	if (/^[\x21-\x7e]+$/.test(key)) return
	throw new ReprieveError('UNAUTHENTICATED', 'the key is empty, or holds what no key holds', {
		hint: 'Copy the key again: rk_ and 43 letters, digits, - or _.',
	})
}

function findKey(options: ConnectionOptions, io: Io): string {
	if (options.keyFile) return readKey(options.keyFile)
	if (io.env.REPRIEVE_API_KEY) return io.env.REPRIEVE_API_KEY
	return readKey(join(io.env.REPRIEVE_DATA || '.reprieve', 'admin-key'))
}

function readKey(path: string): string {
	try {
		return readFileSync(path, 'utf8').trim()
	} catch (cause) {
		throw new ReprieveError('UNAUTHENTICATED', `no key: ${path} cannot be read`, {
			cause,
			hint: 'Set REPRIEVE_API_KEY, or name a file with --key-file.',
		})
	}
}
