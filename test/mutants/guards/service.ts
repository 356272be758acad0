import type { Mutant } from '../mutant.ts'

const service = 'apps/service/src'
const audit = 'test/surfaces/audit.test.ts'
const idempotency = 'test/surfaces/idempotency.test.ts'
const requests = 'test/surfaces/requests.test.ts'
const roles = 'test/surfaces/roles.test.ts'

export const serviceGuards: Mutant[] = [
	{
		name: 'acts twice under one idempotency key',
		rule: 'P9',
		file: `${service}/record.ts`,
		before: 'call ? await claim(command, call) : { id: randomUUID() }',
		after: '{ id: randomUUID() }',
		tests: { [idempotency]: ['the same key and body get the first answer again, refusals included'] },
	},
	{
		name: 'answers another body under the same idempotency key',
		rule: 'P9',
		file: `${service}/idempotency/claim.ts`,
		before: 'if (row && !row.same) {',
		after: 'if (!row) {',
		tests: { [idempotency]: ['the same key with another body is a mismatch, and changes nothing'] },
	},
	{
		name: 'does not check the hash of an audit entry',
		rule: 'P10',
		file: `${service}/audit/verify.ts`,
		before: ' && row.hash === hashEntry(row)',
		after: '',
		tests: { [audit]: ['by hand is found'] },
	},
	{
		name: 'does not check the chain of audit entries',
		rule: 'P10',
		file: `${service}/audit/verify.ts`,
		before: 'row.seq === expected.seq && row.previous === expected.previous && ',
		after: '',
		tests: { [audit]: ['by hand is found'] },
	},
	{
		name: 'does not miss audit entries that were cut off',
		rule: 'P10',
		file: `${service}/audit/verify.ts`,
		before: 'newest > head.seq ?',
		after: 'newest < 0n ?',
		tests: {
			[audit]: [
				'entries cut off at the end are found by the checkpoint of the service that stopped, also after new ones came',
			],
		},
	},
	{
		name: 'believes an audit checkpoint that nobody signed',
		rule: 'P10',
		file: `${service}/audit/checkpoint.ts`,
		before: 'if (message.verified) found.set(BigInt(message.value.seq), message.value.hash)',
		after:
			"const value = JSON.parse(entry.signed.slice(entry.signed.indexOf('{'))) as Checkpoint\n		if (message) found.set(BigInt(value.seq), value.hash)",
		tests: { [audit]: ['a checkpoint that nobody signed says nothing of the chain'] },
	},
	{
		name: 'acts where the audit cannot be written',
		rule: 'P10',
		file: `${service}/record.ts`,
		before: '		throw cause\n	}\n	const stopKeeping',
		after: '	}\n	const stopKeeping',
		tests: { [audit]: ['where the audit cannot be written, nothing is done'] },
	},
	{
		name: 'does not record a refusal for want of a role',
		rule: 'P10',
		file: `${service}/trpc.ts`,
		before: '		await recordRefusal(services, principal, path, asReprieveError(cause), input)\n',
		after: '',
		tests: { [audit]: ['each change is recorded before and after, each refusal with its code, under one request id'] },
	},
	{
		name: 'lets any role call anything',
		rule: 'P9',
		file: `${service}/access/roles.ts`,
		before: 'if (hasRole(principal.role, least)) return',
		after: "if (hasRole(principal.role, 'viewer')) return",
		tests: { [roles]: ['every call refuses the roles below its own, and no others'] },
	},
	{
		name: 'drops the role of one call',
		rule: 'P9',
		file: `${service}/routers/tokens.ts`,
		before: ".meta({ role: 'admin', secret: true })",
		after: ".meta({ role: 'viewer', secret: true })",
		tests: { [roles]: ['every call refuses the roles below its own, and no others'] },
	},
	{
		name: 'lets a key act on tables that it has no grant on',
		rule: 'P9',
		file: `${service}/access/grants.ts`,
		before: 'return !principal.tables || principal.tables.includes(canonical(table))',
		after: "return !principal.tables || canonical(table) !== ''",
		tests: { 'test/plans/life.test.ts': ['a key bound to tables plans those alone, dependents included'] },
	},
	{
		name: 'takes a key that was revoked',
		rule: 'P9',
		file: `${service}/access/authenticate.ts`,
		before: ' and revoked_at is null',
		after: '',
		tests: { [roles]: ['a revoked key is refused from the next call on, and the last admin key stays'] },
	},
	{
		name: 'takes a body of any size',
		rule: 'P9',
		file: `${service}/server.ts`,
		before: "	app.on(bodied, '*', limitBody)\n",
		after: '',
		tests: { 'test/hostile/http.test.ts': ['a body over the limit'] },
	},
	{
		name: 'records one refusal for all reads that share it',
		rule: 'P10',
		file: `${service}/rest/ask.ts`,
		before: 'if (isOwn) throw refusal',
		after: 'throw refusal',
		tests: { [requests]: ['equal reads that come at once each count as a call'] },
	},
	{
		name: 'does not record a change that nobody can read',
		rule: 'P10',
		file: `${service}/rest/serve.ts`,
		before: 'if (isChange) await',
		after: "if (path === '') await",
		tests: { 'test/surfaces/audit.test.ts': ['a change that nobody can read is recorded by its name, a read is not'] },
	},
	{
		name: 'changes something in a batch of calls',
		rule: 'P9',
		file: `${service}/server.ts`,
		before: 'if (calls.length > 1 && changes',
		after: 'if (calls.length < 0 && changes',
		tests: { [requests]: ['a mutation in a batch, a GET that changes something and a batch of 21 are refused'] },
	},
	{
		name: 'resolves an incident that stopped capture without adopting',
		rule: 'P9',
		file: `${service}/system/resolve-incident.ts`,
		before: 'if (found.stopsCapture) {',
		after: 'if (!found) {',
		tests: { 'test/surfaces/incidents.test.ts': ['an incident that stopped capture is resolved by adopting alone'] },
	},
	{
		name: 'plans rows that are too long to be archived',
		rule: '6.6',
		file: 'apps/service/src/plans/evaluate/evaluate.ts',
		before: '\tawait refuseLongRows(sql, measured)\n',
		after: '',
		tests: {
			'test/plans/long-rows.test.ts': [
				'a plan with a row that is too long to be archived is refused by table, key and column',
			],
		},
	},
]
