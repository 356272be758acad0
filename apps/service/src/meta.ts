import type { Role } from '@reprieve/contracts'

/** What every procedure declares of itself; apart, since the published client's types name it. */
export type Meta = {
	/** Least role that may call. */
	role: Role
	/** The answer carries a secret: it is never stored, so a repeated call cannot have it again. */
	secret?: boolean
}
