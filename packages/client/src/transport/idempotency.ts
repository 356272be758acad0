/** Mutations without an idempotency key: repeating them changes nothing more. */
const keyless: ReadonlySet<string> = new Set(['archive.barrier', 'restores.preview', 'system.verify', 'audit.verify'])

/** Whether a procedure's input has `idempotencyKey`. */
export function takesKey(path: string): boolean {
	return !keyless.has(path)
}

/** 128 random bits; `crypto.randomUUID` is missing on pages without TLS. */
export function newKey(): string {
	const bytes = crypto.getRandomValues(new Uint8Array(16))
	return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
