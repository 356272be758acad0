import type { Mutant } from '../mutant.ts'

const protect = 'packages/postgres/src/protect'
const changes = 'test/protect/changes.test.ts'
const proof = 'test/protect/proof.test.ts'
const plans = 'apps/service/src/plans'
const halfOpen = 'test/faults/half-open.test.ts'
const session = 'test/session.test.ts'

export const protectGuards: Mutant[] = [
	{
		name: 'has one publication for all kinds of change',
		rule: '2.1',
		file: `${protect}/publications.ts`,
		before: "deletes: { name: 'reprieve', insert: false, update: false, delete: true, truncate: true },",
		after: "deletes: { name: 'reprieve', insert: true, update: true, delete: true, truncate: true },",
		tests: { 'test/protect/publications.test.ts': ['publications are made once and put right on PostgreSQL'] },
	},
	{
		name: 'protects a table without a TRUNCATE guard',
		rule: '2.6',
		file: `${protect}/plan.ts`,
		before: ', ...guardStatements(table, truncate)],',
		after: '],',
		tests: { [changes]: ['TRUNCATE is refused, of a leaf too, and by a session with replica role'] },
	},
	{
		name: 'guards TRUNCATE in ordinary sessions alone',
		rule: '2.6',
		file: `${protect}/plan.ts`,
		before: '		`alter table ${name} enable always trigger reprieve_guard_truncate`,\n',
		after: '',
		tests: { [changes]: ['TRUNCATE is refused, of a leaf too, and by a session with replica role'] },
	},
	{
		name: 'archives a TRUNCATE while rows reference the table',
		rule: '2.6',
		file: `${protect}/guards.ts`,
		before: 'found_row then\n			raise exception',
		after: 'false then\n			raise exception',
		tests: { [changes]: ['an archiving TRUNCATE wants children first, fresh rows, and leaves nothing behind'] },
	},
	{
		name: 'lets a protected table be dropped',
		rule: 'P1',
		file: `${protect}/guards.ts`,
		before: "where (d.classid = 'pg_class'::regclass and d.objsubid = 0",
		after: "where (d.classid = 'pg_class'::regclass and d.objsubid = -1",
		tests: { [changes]: ['dropping or weakening a protected table is refused unless the session allows it'] },
	},
	{
		name: 'calls a table ready before older transactions have ended',
		rule: '2.3',
		file: `${protect}/prove.ts`,
		before: 'pending.filter((_, index) => older[index]?.length === 0)',
		after: 'pending.filter((_, index) => older[index])',
		tests: {
			[proof]: [
				'a table waits for transactions older than the change, prepared ones too, and is then finished by anybody',
			],
		},
	},
	{
		name: 'calls a table ready without reading its canary back',
		rule: '2.3',
		file: `${protect}/prove.ts`,
		before: ' && (await options.readCanary(nonce))',
		after: '',
		tests: { [proof]: ['a canary that the vault does not hand back proves nothing'] },
	},
	{
		name: 'opens the gate of a table that is in no publication',
		rule: 'P1',
		file: `${protect}/gate.ts`,
		before: 'if (missing.length === 0) return undefined',
		after: 'if (missing.length >= 0) return undefined',
		tests: {
			[proof]: ['the gate closes on whatever would keep a delete from the archive, and protecting again mends it'],
		},
	},
	{
		name: 'opens the gate while capture is silent',
		rule: 'P1',
		file: `${protect}/capture-facts.ts`,
		before: '		...heartbeatFindings(facts.capture, limits),\n',
		after: '',
		tests: { [proof]: ['the gate closes when capture stops, its heartbeat ages, or the slot goes'] },
	},
	{
		name: 'opens the gate of a slot that may be lost',
		rule: 'P1',
		file: `${protect}/capture-facts.ts`,
		before: 'slot.safeWalBytes !== null && slot.safeWalBytes < limits.safeWalBytes',
		after: 'slot.safeWalBytes !== null && slot.safeWalBytes < -1e15',
		tests: { 'test/protect/server.test.ts': ['a slot that may be lost closes the gate, and a lost one says so'] },
	},
	{
		name: 'leaves new partitions unprotected',
		rule: '2.7',
		file: 'apps/sidecar/src/upkeep/protection.ts',
		before: 'const refused = await keepLeaves()',
		after: 'const refused = [] as { code: string }[]',
		tests: {
			'test/capture/upkeep.test.ts': ['a new partition leaf is protected at once, and deletes in it are archived'],
		},
	},
	{
		name: 'opens the way past triggers that nobody acknowledged',
		rule: '2.5',
		file: `${protect}/findings.ts`,
		before: 'if (acknowledged.has(code)) return []',
		after: 'if (code) return []',
		tests: { 'test/protect/shapes.test.ts': ['and nothing is changed'] },
	},
	{
		name: 'sees only the rows that a policy shows it',
		rule: '3',
		file: 'packages/postgres/src/session.ts',
		before: "row_security: 'off',",
		after: "row_security: 'on',",
		tests: { [session]: ['a session to which row security applies fails instead of seeing less'] },
	},
	{
		name: 'waits for ever on a connection that is half open',
		rule: '3',
		file: 'packages/postgres/src/watch.ts',
		before: 'socket.destroy(silence(pid))',
		after: '',
		tests: {
			[halfOpen]: ['a statement on a half-open connection fails, its locks are free, and a long one may be long'],
		},
	},
	{
		name: 'takes a statement that waits for a lock for one that is lost',
		rule: '3',
		file: 'packages/postgres/src/watch.ts',
		before: "coalesce(a.wait_event in ('ClientRead', 'ClientWrite'), false)",
		after: 'true',
		tests: {
			[halfOpen]: ['a statement on a half-open connection fails, its locks are free, and a long one may be long'],
		},
	},
	{
		name: 'looks names up where the database says',
		rule: '3',
		file: 'packages/postgres/src/session.ts',
		before: "	search_path: 'pg_catalog',\n",
		after: '',
		tests: { [session]: ['a session has its own settings, whatever those of role and database are'] },
	},
	{
		name: 'writes numbers with as few digits as the database says',
		rule: '3',
		file: 'packages/postgres/src/session.ts',
		before: "	extra_float_digits: '3',\n",
		after: '',
		tests: { [session]: ['a session has its own settings, whatever those of role and database are'] },
	},
	{
		name: 'commits before the disk has it where the database says so',
		rule: '3',
		file: 'packages/postgres/src/session.ts',
		before: "	synchronous_commit: 'on',\n",
		after: '',
		tests: { [session]: ['a session has its own settings, whatever those of role and database are'] },
	},
	{
		name: 'leaves triggers and foreign keys out of the hash of a plan',
		rule: '4.3',
		file: 'packages/postgres/src/catalog/dependents.ts',
		before: 'where not t.tgisinternal and t.tgparentid = 0 and',
		after: 'where false and',
		tests: {
			'test/plans/dependents.test.ts': [
				'the hash of a closure follows its foreign keys, triggers and rules, and nothing else',
			],
		},
	},
	{
		name: 'plans a duplicate whose keeper it deletes as a dependent',
		rule: '4.2',
		file: `${plans}/evaluate/hold.ts`,
		before: '		await recordPlannedKeepers(work)\n',
		after: '',
		tests: {
			'test/plans/closure.test.ts': [
				'a duplicate stays when its keeper would go as a dependent, and dependents have no keeper',
			],
		},
	},
	{
		name: 'plans a row that children hold',
		rule: '4.4',
		file: `${plans}/evaluate/hold.ts`,
		before: 'for (const key of keys.filter(work.holds)) await recordHeld',
		after: 'for (const key of keys.filter((key) => key.oid < 0)) await recordHeld',
		tests: {
			'test/plans/closure.test.ts': [
				'a row that children hold is left out with its closure, refused, or goes with them',
			],
		},
	},
	{
		name: 'orders parents before the rows that reference them',
		rule: '4.4',
		file: `${plans}/evaluate/order.ts`,
		before: 'select distinct child, parent from pg_temp.plan_edges\n		where child <=',
		after: 'select distinct parent, child from pg_temp.plan_edges\n		where child <=',
		tests: {
			'test/plans/order.test.ts': ['a chain of self references goes child before parent, a cycle goes together'],
		},
	},
	{
		name: 'calls a row with a NULL in its reference an orphan',
		rule: 'P6',
		file: `${plans}/candidates/orphans.ts`,
		before: "const text = `${present.join(' and ')} and not exists",
		after: 'const text = `${present.length > 0} and not exists',
		tests: {
			'test/plans/kinds.test.ts': ['orphans reference a row that is not there, never with a NULL among the columns'],
		},
	},
]
