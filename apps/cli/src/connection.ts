import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Client, createClient } from '@reprieve/client'
import { ReprieveError } from '@reprieve/contracts'
import type { Io } from './io.ts'

export type ConnectionOptions = { url?: string; keyFile?: string }

const defaultUrl = 'http://127.0.0.1:4400'

/** The client for `--url` or REPRIEVE_URL, with the key of `--key-file`, REPRIEVE_API_KEY or `.reprieve/admin-key`. Throws UNAUTHENTICATED. */
export function openClient(options: ConnectionOptions, io: Io): Client {
	return createClient({ url: options.url ?? (io.env.REPRIEVE_URL || defaultUrl), apiKey: findKey(options, io) })
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
