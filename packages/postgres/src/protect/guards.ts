import type { Transaction } from '../session.ts'

/** TRUNCATE carries no rows in the log, so by default it is refused. */
const refuseTruncate = `
begin
	raise exception 'TRUNCATE of % is refused: its rows could not be restored', tg_relid::regclass
		using errcode = 'object_not_in_prerequisite_state',
			hint = 'Use DELETE, or protect the table with truncate: archive, or unprotect it.';
end`

/**
 * Deletes the rows before the TRUNCATE that follows. Another snapshot than READ COMMITTED's would miss rows. Rows that
 * still reference these would be changed by the delete, so tables that reference this one must be empty already.
 */
const archiveTruncate = `
declare
	child record;
	found_row boolean;
begin
	if current_setting('transaction_isolation') <> 'read committed' then
		raise exception 'TRUNCATE of % is refused: under % its newest rows would not be archived', tg_relid::regclass,
			current_setting('transaction_isolation')
			using errcode = 'object_not_in_prerequisite_state', hint = 'Use READ COMMITTED.';
	end if;
	for child in
		select f.conrelid::regclass as name, (
			select string_agg(format('%I is not null', a.attname), ' and ') from pg_attribute a
			where a.attrelid = f.conrelid and a.attnum = any(f.conkey)) as referencing
		from pg_constraint f where f.contype = 'f' and f.confrelid = tg_relid and f.conrelid <> tg_relid
	loop
		execute format('select exists (select from %s where %s)', child.name, child.referencing) into found_row;
		if found_row then
			raise exception 'TRUNCATE of % is refused: rows of % reference it', tg_relid::regclass, child.name
				using errcode = 'object_not_in_prerequisite_state',
					hint = format('Name %s before %s, and protect both with truncate: archive, or DELETE its rows first.',
						child.name, tg_relid::regclass);
		end if;
	end loop;
	execute format('delete from only %s', tg_relid::regclass);
	execute format('select exists (select from only %s)', tg_relid::regclass) into found_row;
	if found_row then
		raise exception 'TRUNCATE of % is refused: a trigger or rule kept rows from being deleted', tg_relid::regclass
			using errcode = 'object_not_in_prerequisite_state', hint = 'Use DELETE.';
	end if;
	if exists (select from pg_trigger t where t.tgrelid = tg_relid and t.tgdeferrable and t.tgtype & 8 <> 0) then
		set constraints all immediate;
	end if;
	perform pg_logical_emit_message(true, 'reprieve.truncate', tg_relid::oid::text);
	return null;
end`

const guardDrop = `
declare
	victim record;
begin
	if current_setting('reprieve.allow', true) = 'on' or to_regclass('reprieve.protected_tables') is null then
		return;
	end if;
	for victim in
		select * from pg_event_trigger_dropped_objects() d
		where (d.classid = 'pg_class'::regclass and d.objsubid = 0
				and exists (select from reprieve.protected_tables p where p.oid = d.objid))
			or (d.object_type = 'publication' and d.object_name in ('reprieve', 'reprieve_relink', 'reprieve_move', 'reprieve_debezium'))
			or (d.object_type = 'publication relation' and d.address_args[1] in ('reprieve', 'reprieve_relink', 'reprieve_move', 'reprieve_debezium')
				and exists (select from reprieve.protected_tables p
					where p.oid = to_regclass(format('%I.%I', d.address_names[1], d.address_names[2]))))
			or (d.object_type = 'trigger' and d.address_names[3] = 'reprieve_guard_truncate'
				and exists (select from reprieve.protected_tables p
					where p.oid = to_regclass(format('%I.%I', d.address_names[1], d.address_names[2]))))
	loop
		raise exception '% is refused: % % is protected by reprieve', tg_tag, victim.object_type, victim.object_identity
			using errcode = 'object_not_in_prerequisite_state',
				hint = 'Unprotect the table first, or set reprieve.allow = ''on'' in this session.';
	end loop;
end`

const guardAlter = `
declare
	weakened text;
begin
	if current_setting('reprieve.allow', true) = 'on' or to_regclass('reprieve.protected_tables') is null then
		return;
	end if;
	select c.oid::regclass::text into weakened
	from pg_event_trigger_ddl_commands() d join pg_class c on c.oid = d.objid
	join reprieve.protected_tables p on p.oid = c.oid
	where d.classid = 'pg_class'::regclass and c.relkind = 'r' and (c.relreplident <> 'f' or c.relpersistence <> 'p'
		or not exists (select from pg_trigger t
			where t.tgrelid = c.oid and t.tgname = 'reprieve_guard_truncate' and t.tgenabled = 'A'))
	limit 1;
	if weakened is null and tg_tag = 'ALTER PUBLICATION' then
		select 'publication ' || w.name into weakened
		from (values ('reprieve', false, false, true, true), ('reprieve_relink', false, true, false, false),
			('reprieve_move', true, false, false, false)) w(name, inserts, updates, deletes, truncates)
		where not exists (
			select from pg_publication p where p.pubname = w.name and not p.pubviaroot
				and (p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate) = (w.inserts, w.updates, w.deletes, w.truncates)
				and coalesce(to_jsonb(p)->>'pubgencols', 's') = 's')
		limit 1;
	end if;
	if weakened is not null then
		raise exception '% is refused: it would keep deletes on % from being archived', tg_tag, weakened
			using errcode = 'object_not_in_prerequisite_state',
				hint = 'Unprotect the table first, or set reprieve.allow = ''on'' in this session.';
	end if;
end`

const functions = [
	{ name: 'refuse_truncate', returns: 'trigger', body: refuseTruncate },
	{ name: 'archive_truncate', returns: 'trigger', body: archiveTruncate },
	{ name: 'guard_drop', returns: 'event_trigger', body: guardDrop },
	{ name: 'guard_alter', returns: 'event_trigger', body: guardAlter },
]

const eventTriggers = [
	{ name: 'reprieve_guard_drop', event: 'sql_drop', when: '' },
	{ name: 'reprieve_guard_alter', event: 'ddl_command_end', when: "when tag in ('ALTER TABLE', 'ALTER PUBLICATION')" },
]

/**
 * Installs the guard functions and, where the role may, the event triggers that refuse to drop or weaken a protected
 * table. Answers what the role was not permitted to install. Idempotent; the transaction holds the protection lock.
 */
export async function installGuards(tx: Transaction): Promise<string[]> {
	for (const wanted of functions) {
		const [present] = await tx<{ body: string }[]>`
			select prosrc as body from pg_proc where pronamespace = 'reprieve'::regnamespace and proname = ${wanted.name}`
		if (present?.body === wanted.body) continue
		await tx.unsafe(
			`create or replace function reprieve.${wanted.name}() returns ${wanted.returns} language plpgsql security definer set search_path = pg_catalog set row_security = off as $guard$${wanted.body}$guard$`,
		)
	}
	const limits: string[] = []
	for (const trigger of eventTriggers) {
		const isInstalled = await installEventTrigger(tx, trigger)
		if (!isInstalled) limits.push(`event trigger ${trigger.name} needs a superuser: DROP and ALTER are not refused`)
	}
	return limits
}

async function installEventTrigger(tx: Transaction, trigger: (typeof eventTriggers)[number]): Promise<boolean> {
	const present = await tx`select from pg_event_trigger where evtname = ${trigger.name}`
	if (present.length > 0) return true
	const procedure = trigger.name.replace('reprieve_', 'reprieve.')
	try {
		await tx.savepoint(
			(inner) =>
				inner`${inner.unsafe(`create event trigger ${trigger.name} on ${trigger.event} ${trigger.when} execute function ${procedure}()`)}`,
		)
		return true
	} catch (error) {
		if ((error as { code?: string }).code === '42501') return false
		throw error
	}
}

/** Names of the event triggers, for their removal. */
export const eventTriggerNames: readonly string[] = eventTriggers.map((trigger) => trigger.name)
