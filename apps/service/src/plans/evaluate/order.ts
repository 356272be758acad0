import type { RelinkedTable } from './relink.ts'
import { rowKey } from './relink.ts'
import type { Workspace } from './workspace.ts'

/**
 * Which matched row must not go after which (`earlier`, `later`), in four parts: a matched row that references another;
 * one that references a dependent, hence all matched rows that take that along; a dependent that references, without
 * being forced, what another takes along; and two that share a relinked row, which go together.
 */
const orderQueries = (matched: number) => [
	`insert into pg_temp.plan_order select distinct child, parent from pg_temp.plan_edges
		where child <= ${matched} and parent <= ${matched}`,
	`insert into pg_temp.plan_order select distinct e.child, r.root from pg_temp.plan_edges e
		join pg_temp.plan_reach r on r.id = e.parent where e.child <= ${matched} and e.parent > ${matched} and e.child <> r.root`,
	`insert into pg_temp.plan_order select distinct a.root, coalesce(r.root, e.parent) from pg_temp.plan_edges e
		join (select id, min(root) as root from pg_temp.plan_reach group by id) a on a.id = e.child
		left join pg_temp.plan_reach r on r.id = e.parent
		where e.child > ${matched} and not e.forcing and a.root <> coalesce(r.root, e.parent)`,
]

/** For each dependent that the order asks about, the matched rows that take it along. */
const reachQuery = (matched: number) => `
	create temp table plan_reach on commit drop as
	with recursive up(id, at) as (
		select id, id from (
			select e.parent as id from pg_temp.plan_edges e where e.child <= ${matched} and e.parent > ${matched}
			union select unnest(array[e.child, e.parent]) from pg_temp.plan_edges e where e.child > ${matched} and not e.forcing
			union select parent from pg_temp.plan_shared) asked where id > ${matched}
		union select up.id, e.parent from up join pg_temp.plan_edges e on e.child = up.at and e.forcing where up.at > ${matched})
	select id, at as root from up where at <= ${matched}`

/** Rows that share a relinked row go together: each not after the next, and the last not after the first. */
const togetherQuery = (matched: number) => `
	insert into pg_temp.plan_order
	with roots as (
		select distinct s.row, coalesce(r.root, s.parent) as root from pg_temp.plan_shared s
		left join pg_temp.plan_reach r on r.id = s.parent and s.parent > ${matched}),
	ring as (
		select root, coalesce(lead(root) over w, first_value(root) over w) as next from roots window w as (partition by row order by root))
	select root, next from ring where root <> next`

/**
 * Levels of matched rows: those that nothing precedes first (phase 0), what is behind a cycle last (phase 2), and in
 * between the cycles, each component of them one group (phase 1).
 */
const levelRows = `
	do $$
	declare step int := 0;
	begin
		update pg_temp.plan_levels l set phase = 0, level = 0
		where not exists (select from pg_temp.plan_order o where o.later = l.id);
		while found loop
			step := step + 1;
			update pg_temp.plan_levels l set phase = 0, level = step
			where l.phase is null and l.id in (
					select o.later from pg_temp.plan_levels done join pg_temp.plan_order o on o.earlier = done.id
					where done.phase = 0 and done.level = step - 1)
				and not exists (select from pg_temp.plan_order o join pg_temp.plan_levels before on before.id = o.earlier
					where o.later = l.id and before.phase is null);
		end loop;
		step := 0;
		update pg_temp.plan_levels l set phase = 2, level = 0
		where l.phase is null and not exists (select from pg_temp.plan_order o where o.earlier = l.id);
		while found loop
			step := step + 1;
			update pg_temp.plan_levels l set phase = 2, level = -step
			where l.phase is null and l.id in (
					select o.earlier from pg_temp.plan_levels done join pg_temp.plan_order o on o.later = done.id
					where done.phase = 2 and done.level = 1 - step)
				and not exists (select from pg_temp.plan_order o join pg_temp.plan_levels after on after.id = o.later
					where o.earlier = l.id and after.phase is null);
		end loop;
		update pg_temp.plan_levels set phase = 1, level = id where phase is null;
		loop
			update pg_temp.plan_levels l set level = least(near.level, jump.level)
			from (select o.a, min(n.level) as level from (
					select earlier as a, later as b from pg_temp.plan_order union all select later, earlier from pg_temp.plan_order) o
				join pg_temp.plan_levels n on n.id = o.b and n.phase = 1 group by o.a) near, pg_temp.plan_levels jump
			where l.phase = 1 and near.a = l.id and jump.id = l.level and least(near.level, jump.level) < l.level;
			exit when not found;
		end loop;
	end $$`

/** Dependents go with the earliest matched row that takes them along. */
const spreadDown = (matched: number) => `
	do $$
	begin
		loop
			insert into pg_temp.plan_units
			select e.child, min(u.unit) from pg_temp.plan_edges e join pg_temp.plan_units u on u.id = e.parent
			left join pg_temp.plan_units own on own.id = e.child
			where e.forcing and e.child > ${matched} and (own.id is null or u.unit < own.unit) group by e.child
			on conflict (id) do update set unit = excluded.unit where excluded.unit < plan_units.unit;
			exit when not found;
		end loop;
	end $$`

/**
 * Numbers the units of the plan from 1 into `pg_temp.plan_units (id, unit)`, so that a planned row goes with or before
 * every planned row that it references, and rows of a cycle go together. Answers how many units there are.
 */
export async function numberUnits(work: Workspace, matched: number, relinked: RelinkedTable[]): Promise<number> {
	const { sql } = work
	await sql.unsafe('create temp table plan_units (id bigint primary key, unit bigint) on commit drop')
	await collectShared(work, relinked)
	await sql.unsafe(reachQuery(matched))
	await sql.unsafe('create temp table plan_order (earlier bigint, later bigint) on commit drop')
	for (const query of orderQueries(matched)) await sql.unsafe(query)
	await sql.unsafe(togetherQuery(matched))
	const [constrained] = await sql.unsafe('select from pg_temp.plan_order limit 1')
	if (constrained) await level(work)
	await sql.unsafe(constrained ? orderedUnits(work, matched) : freeUnits(work, matched))
	await sql.unsafe('analyze pg_temp.plan_units')
	await sql.unsafe(spreadDown(matched))
	const [row] = await sql.unsafe<{ units: string }[]>(
		'select coalesce(max(unit), 0)::text as units from pg_temp.plan_units',
	)
	return Number(row?.units)
}

/** Relinked rows that reference several planned rows, by as many foreign keys, numbered over all tables. */
async function collectShared(work: Workspace, relinked: RelinkedTable[]): Promise<void> {
	await work.sql.unsafe('create temp table plan_shared (row text, parent bigint) on commit drop')
	for (const [index, from] of relinked.entries()) {
		if (from.keys.length === 1) continue
		await work.sql.unsafe(`
			insert into pg_temp.plan_shared select ${index} || ':' || group_number, parent from (
				select parent, dense_rank() over (order by ${rowKey(from)}) as group_number,
					count(*) over (partition by ${rowKey(from)}) as parents from ${from.stage}) grouped where parents > 1`)
	}
}

async function level(work: Workspace): Promise<void> {
	const { sql } = work
	await sql.unsafe('create index on pg_temp.plan_order (earlier)')
	await sql.unsafe('create index on pg_temp.plan_order (later)')
	await sql.unsafe(`create temp table plan_levels on commit drop as
		select id, null::int as phase, null::bigint as level
		from (select earlier as id from pg_temp.plan_order union select later from pg_temp.plan_order) rows`)
	await sql.unsafe('create unique index on pg_temp.plan_levels (id)')
	await sql.unsafe('create index on pg_temp.plan_levels (phase, level)')
	await sql.unsafe('analyze pg_temp.plan_order, pg_temp.plan_levels')
	await sql.unsafe(levelRows)
}

/** Rows without a place in the order come first, each a unit of its own; rows of one cycle share a unit. */
function orderedUnits(work: Workspace, matched: number): string {
	return `insert into pg_temp.plan_units
		select s.id, dense_rank() over (order by coalesce(l.phase, 0), coalesce(l.level, 0), case when l.phase = 1 then 0 else s.id end)
		from ${work.staged[0]?.stage} s left join pg_temp.plan_levels l on l.id = s.id
		where s.id <= ${matched}`
}

function freeUnits(work: Workspace, matched: number): string {
	return `insert into pg_temp.plan_units select s.id, row_number() over (order by s.id) from ${work.staged[0]?.stage} s where s.id <= ${matched}`
}
