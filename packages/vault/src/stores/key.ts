import { ReprieveError } from '@reprieve/contracts'

/** The key as it is, if it names an object of the store. Throws INVALID for one that would lead out of it. */
export function checkKey(key: string): string {
	if (key.split('/').some((part) => part === '' || part === '.' || part === '..'))
		throw new ReprieveError('INVALID', `"${key}" is not an object key`)
	return key
}
