import { type PolicyInput, type PolicyKind, policyKinds, ReprieveError, type Where } from '@reprieve/contracts'
import type { Command } from 'commander'
import { parseCount, parseJson, parseNames } from './parse.ts'

type PolicyOptions = {
	key?: string
	keep?: string
	by?: string
	maxCluster?: number
	column?: string
	olderThan?: string
	columns?: string[]
	references?: string
	missing?: string[]
	match?: 'all' | 'any'
	blank?: boolean
	where?: Where
	onRestrict?: 'skip' | 'refuse' | 'include'
}

/** Adds the options of every policy kind to a command. */
export function policyOptions(command: Command): Command {
	return command
		.option('--key <columns>', 'duplicates: columns, each with an optional normaliser: lower:email,username')
		.option('--keep <rule>', 'duplicates: newest, oldest, mostComplete, mostReferenced, or column:asc,column:desc')
		.option('--by <column>', 'duplicates: the column that newest and oldest go by')
		.option('--max-cluster <rows>', 'duplicates: refuse when more rows share one key', parseCount)
		.option('--column <column>', 'stale: the column with the moment')
		.option('--older-than <time>', 'stale: ISO 8601 duration (P90D) or instant')
		.option('--columns <columns>', 'orphans: the referring columns', parseNames)
		.option('--references <table(columns)>', 'orphans: what they name, as products(id)')
		.option('--missing <columns>', 'incomplete: columns that are NULL', parseNames)
		.option('--match <how>', 'incomplete: all (default) or any of them')
		.option('--blank', 'incomplete: an empty text counts as NULL')
		.option('--where <json>', 'only rows that this predicate matches; @file reads it from a file', parseJson)
		.option('--on-restrict <how>', 'rows that children hold: skip (default), refuse, include')
}

/** The policy that kind, table and options say; what is wrong with it the service says. Throws INVALID. */
export function policyFrom(kind: string, table: string, options: PolicyOptions): PolicyInput {
	if (!(policyKinds as readonly string[]).includes(kind)) {
		throw new ReprieveError('INVALID', `"${kind}" is no kind of policy`, { hint: `One of ${policyKinds.join(', ')}.` })
	}
	const { where, onRestrict } = options
	return { kind, table, ...fields[kind as PolicyKind](options), where, onRestrict } as unknown as PolicyInput
}

const fields: Record<PolicyKind, (options: PolicyOptions) => object> = {
	duplicates: ({ key, keep, by, maxCluster }) => ({
		key: parseNames(required(key, '--key')).map(keyPart),
		keep: keepRule(required(keep, '--keep')),
		by,
		maxCluster,
	}),
	stale: ({ column, olderThan }) => ({
		column: required(column, '--column'),
		olderThan: required(olderThan, '--older-than'),
	}),
	orphans: ({ columns, references }) => ({
		columns: required(columns, '--columns'),
		references: referenced(required(references, '--references')),
	}),
	incomplete: ({ missing, match, blank }) => ({ missing: required(missing, '--missing'), match, blank }),
	match: ({ where }) => ({ where: required(where, '--where') }),
}

function required<T>(value: T | undefined, option: string): T {
	if (value === undefined) throw new ReprieveError('INVALID', `${option} is missing`)
	return value
}

function keyPart(text: string): string | { column: string; normalise: string } {
	const match = /^(lower|trim|collapseSpaces|digits):(.+)$/.exec(text)
	return match ? { column: match[2] as string, normalise: match[1] as string } : text
}

function keepRule(text: string): string | { orderBy: object[] } {
	if (!text.includes(':')) return text
	return {
		orderBy: parseNames(text).map((part) => {
			const [column, direction] = part.split(':')
			return { column, direction }
		}),
	}
}

function referenced(text: string): { table: string; columns: string[] } {
	const match = /^(.+)\((.+)\)$/.exec(text)
	if (!match) throw new ReprieveError('INVALID', `"${text}" is not table(columns)`, { hint: 'Write products(id).' })
	return { table: match[1] as string, columns: parseNames(match[2] as string) }
}
