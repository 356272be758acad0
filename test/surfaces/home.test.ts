import { expect, test } from 'vitest'
import { freshDatabase } from '../support/postgres.ts'
import { startTestService } from './support.ts'

test('the page and its files come without a key, from here alone, under a policy that lets nothing else in', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	const page = await service.call<string>('GET', '/', undefined, { key: null })
	expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
	expect(page.headers.get('content-security-policy')).toBe(
		"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
	)
	const links = [...page.body.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, link]) => link as string)
	expect(links.every((link) => link.startsWith('/') && !link.startsWith('//'))).toBe(true)
	for (const link of links.filter((link) => link !== '/metrics' && link !== '/readyz')) {
		expect([link, (await service.call('GET', link, undefined, { key: null })).status]).toEqual([link, 200])
	}
	expect(page.body).not.toMatch(/<script(?![^>]*src=)|\son\w+=|style="/)
})

test('what the page shows of the database is never read as markup', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	const script = await service.call<string>('GET', '/home/script.js', undefined, { key: null })
	expect(script.body).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|localStorage|cookie/)
})
