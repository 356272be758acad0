const $ = (id) => document.getElementById(id)
const store = 'reprieve.key'
const pollMs = 2000
let key = sessionStorage.getItem(store) ?? ''
let timer

for (const place of document.querySelectorAll('.origin')) place.textContent = location.origin

$('key-form').addEventListener('submit', (event) => {
	event.preventDefault()
	key = $('key').value.trim()
	$('key').value = ''
	void refresh()
})
$('forget').addEventListener('click', forget)
$('restore-close').addEventListener('click', () => $('restore').close())

/** An element with text alone: nothing from the database is ever read as markup. */
function element(name, text, attributes = {}) {
	const made = document.createElement(name)
	if (text !== undefined) made.textContent = text
	for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value)
	return made
}

function cell(text, attributes) {
	return element('td', text, attributes)
}

function badge(state, text = state) {
	return element('span', text, { class: 'badge', 'data-state': state })
}

async function ask(path) {
	const answer = await fetch(path, { headers: { authorization: `Bearer ${key}` }, cache: 'no-store' })
	const body = await answer.json()
	if (answer.ok) return body
	throw Object.assign(new Error(body.detail ?? answer.statusText), { code: body.code })
}

async function refresh() {
	clearTimeout(timer)
	try {
		if (key) await showLive()
		else await showOpen()
	} catch (error) {
		showProblem(error)
	}
	timer = setTimeout(refresh, document.hidden ? pollMs * 10 : pollMs)
}

async function showOpen() {
	const ready = await fetch('/readyz', { cache: 'no-store' })
	setOverall(ready.ok ? 'ok' : 'stopped', ready.ok ? 'capture streams' : 'capture does not stream')
}

async function showLive() {
	const [status, tables, runs, restores, changes] = await Promise.all([
		ask('/api/v1/system/status'),
		ask('/api/v1/tables?limit=1000'),
		ask('/api/v1/runs?limit=8'),
		ask('/api/v1/restores?limit=5'),
		ask('/api/v1/archive/changes?limit=15').catch((error) => ({ items: [], problem: error.message })),
	])
	sessionStorage.setItem(store, key)
	$('key-problem').hidden = true
	$('key-section').hidden = true
	$('live').hidden = false
	setOverall(status.status, status.status)
	showStatus(status)
	showJobs(runs.items, restores.items)
	showChanges(changes)
	showTables(tables.items)
}

function showProblem(error) {
	const isRefused = error.code === 'UNAUTHENTICATED'
	if (isRefused) forget()
	setOverall('away', isRefused ? 'key refused' : 'no answer')
	$('key-problem').hidden = !error.code
	$('key-problem').textContent = error.message
}

function forget() {
	key = ''
	sessionStorage.removeItem(store)
	$('live').hidden = true
	$('key-section').hidden = false
	$('key').focus()
}

function setOverall(state, text) {
	if ($('overall').textContent === text) return
	$('overall').dataset.state = state
	$('overall').textContent = text
}

function showStatus({ capture, archive, incidents, versions }) {
	const cards = [
		['Capture', capture.state],
		['Commit to vault', `${count(Math.round(archive.lagMs))} ms`],
		['Not yet archived', `${count(archive.exposure)} rows`],
		['Log held back', bytes(capture.lagBytes)],
		['PostgreSQL', versions.postgresql],
		['reprieve', versions.reprieve],
	]
	$('cards').replaceChildren(...cards.map(([name, value]) => group(element('dt', name), element('dd', value))))
	$('incidents').replaceChildren(
		...incidents.map(({ code, message, remedy }) => element('li', `${code}: ${message}. ${remedy}`)),
	)
}

function group(...children) {
	const made = element('div')
	made.append(...children)
	return made
}

function showJobs(runs, restores) {
	const jobs = [
		...runs.map((run) => ({ ...run, what: `run on ${run.table}`, rows: run.deleted, receipts: run.archived })),
		...restores.map((restore) => ({ ...restore, what: 'restore', rows: restore.restored, receipts: restore.verified })),
	].sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1))
	fill('runs', { columns: 7, empty: 'Nothing has run yet.', items: jobs, toRow: jobRow })
}

function waitingText({ reason, reading, limit }) {
	return reason === 'window'
		? `window opens in ${count(reading / 60)} min`
		: `${reason} ${count(reading)} of ${count(limit)}`
}

function jobRow(job) {
	const row = element('tr')
	const status = cell()
	status.append(badge(job.status))
	if (job.waiting) status.append(element('small', `waits: ${waitingText(job.waiting)}`))
	if (job.failure) status.append(element('small', job.failure.message))
	const progress = cell()
	progress.append(
		element('progress', undefined, { max: 1, value: job.progress, 'aria-label': `Progress of ${job.what}` }),
	)
	const numbers = [job.rows, job.receipts].map((value) => cell(count(value), { class: 'number' }))
	row.append(cell(job.what), status, progress, ...numbers, cell(job.reason), cell(time(job.createdAt)))
	return row
}

function showChanges({ items, problem }) {
	const empty = problem ?? 'Nothing was deleted from a protected table yet.'
	fill('changes', { columns: 6, empty, items, toRow: changeRow })
}

function changeRow(change) {
	const row = element('tr')
	const who = change.actor ?? 'not told'
	const restore = cell(undefined, { class: 'number' })
	const button = element('button', 'Restore', {
		type: 'button',
		'aria-label': `Restore ${keyText(change)} of ${change.table}`,
	})
	button.addEventListener('click', () => showRestore(change))
	restore.append(button)
	row.append(
		cell(time(change.committedAt)),
		cell(change.op === 'delete' ? change.table : `${change.table} (${change.op})`),
		cell(keyText(change), { class: 'key' }),
		cell(change.claimed ? `${who} (claimed)` : who),
		cell(change.reason ?? ''),
		restore,
	)
	return row
}

function keyText({ key: values }) {
	return Object.entries(values)
		.map(([column, value]) => `${column} = ${value}`)
		.join(', ')
}

function showRestore(change) {
	const selection = { selection: { changes: [change.id] } }
	const call = (path, body) =>
		`curl -s ${location.origin}${path} \\\n  -H "Authorization: Bearer $KEY" \\\n  -H 'Content-Type: application/json' \\\n  -d '${JSON.stringify(body).replaceAll("'", "'\\''")}'`
	$('restore-what').textContent = `${change.table}, ${keyText(change)}, deleted ${time(change.committedAt)}.`
	$('restore-preview').textContent = call('/api/v1/restores/preview', selection)
	$('restore-start').textContent = call('/api/v1/restores', { ...selection, hash: 'HASH', reason: 'why' })
	$('restore').showModal()
}

function showTables(items) {
	const order = { ready: 0, pending: 1, closed: 2 }
	const rank = (table) => (table.protectedSince ? 0 : 3) + order[table.restorability.status]
	const sorted = items.toSorted((a, b) => rank(a) - rank(b) || (a.table < b.table ? -1 : 1))
	fill('tables', { columns: 5, empty: 'There are no tables.', items: sorted, toRow: tableRow })
}

function tableRow(table) {
	const row = element('tr')
	const state = cell()
	const { status, findings } = table.restorability
	const isUnknown = status === 'closed' && !table.protectedSince
	state.append(isUnknown ? badge('none', 'not protected') : badge(status))
	for (const { message, remedy } of findings.slice(0, 3)) state.append(element('small', `${message}. ${remedy}`))
	row.append(
		cell(table.table),
		state,
		cell(table.protectedSince ? time(table.protectedSince) : ''),
		cell(count(table.archivedRows), { class: 'number' }),
		cell(table.gaps.map((gap) => gap.reason).join('; ')),
	)
	return row
}

const shown = new Map()

/** Writes the rows of a table; left alone while nothing changed, so that focus and selection stay where they are. */
function fill(id, { columns, empty, items, toRow }) {
	const state = JSON.stringify([empty, items])
	if (shown.get(id) === state) return
	shown.set(id, state)
	const instead = element('tr')
	instead.append(cell(empty, { colspan: columns, class: 'empty' }))
	$(id).replaceChildren(...(items.length > 0 ? items.map(toRow) : [instead]))
}

function count(number) {
	return number.toLocaleString('en')
}

function bytes(number) {
	const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
	let power = 0
	for (let rest = number; rest >= 1024 && power < units.length - 1; rest /= 1024) power++
	return `${(number / 1024 ** power).toFixed(power ? 1 : 0)} ${units[power]}`
}

function time(text) {
	return new Date(text).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' })
}

void refresh()
