import { hash, randomBytes, timingSafeEqual } from 'node:crypto'

/** A new API key: `rk_` and 32 random bytes. */
export function createSecret(): string {
	return `rk_${randomBytes(32).toString('base64url')}`
}

/** What is stored of a key: SHA-256, hex. */
export function hashSecret(secret: string): string {
	return hash('sha256', secret)
}

/** Compares two hashes in constant time. */
export function isSameHash(left: string, right: string): boolean {
	const [a, b] = [Buffer.from(left), Buffer.from(right)]
	return a.length === b.length && timingSafeEqual(a, b)
}
