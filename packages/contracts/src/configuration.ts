import { ReprieveError } from './errors.ts'

/**
 * A variable that may also come as the file that `NAME_FILE` names, trimmed; undefined when neither is set.
 * Throws INVALID when both are set or the file cannot be read; never with the value.
 */
export function readSecret(
	env: Readonly<Record<string, string | undefined>>,
	name: string,
	readFile: (path: string) => string,
): string | undefined {
	const file = env[`${name}_FILE`]
	if (!file) return env[name] || undefined
	if (env[name])
		throw new ReprieveError('INVALID', `both ${name} and ${name}_FILE are set`, { hint: 'Set one of them.' })
	try {
		return readFile(file).trim()
	} catch (cause) {
		throw new ReprieveError('INVALID', `the file named by ${name}_FILE cannot be read`, { cause })
	}
}
