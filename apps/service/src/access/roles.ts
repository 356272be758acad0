import { ReprieveError, type Role, roles } from '@reprieve/contracts'
import type { Principal } from '../context.ts'

function hasRole(role: Role, least: Role): boolean {
	return roles.indexOf(role) >= roles.indexOf(least)
}

/** Throws FORBIDDEN when the principal's role is below `least`. */
export function requireRole(principal: Principal, least: Role): void {
	if (hasRole(principal.role, least)) return
	throw new ReprieveError(
		'FORBIDDEN',
		`this needs the role ${least}, the key "${principal.name}" is ${principal.role}`,
		{
			hint: `Use a key with the role ${least}.`,
		},
	)
}
