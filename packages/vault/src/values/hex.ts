/** Bytes of which the hex is one string: a longer one could not be. */
export const hexBytes = 1024 * 1024

/** Writes bytes as PostgreSQL's output of a bytea does in hex: 2 + 2 for each of them. */
export function writeHex(source: Uint8Array, target: Buffer, at: number): void {
	const bytes = Buffer.from(source.buffer, source.byteOffset, source.byteLength)
	target.write('\\x', at, 'latin1')
	for (let from = 0; from < bytes.length; from += hexBytes) {
		const to = Math.min(from + hexBytes, bytes.length)
		target.write(bytes.toString('hex', from, to), at + 2 + from * 2, 'latin1')
	}
}
