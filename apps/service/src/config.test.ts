import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { maskConfig, readConfig } from './config.ts'

const url = 'postgres://app:hunter2@db:5432/shop'

test('defaults hold where nothing is set, and each role falls back to the one address', () => {
	const config = readConfig({ DATABASE_URL: url, REPRIEVE_DELETE_URL: 'postgres://deleter@db/shop' })
	expect(config).toMatchObject({ host: '127.0.0.1', port: 4400 })
	expect(config.urls).toMatchObject({ control: url, restore: url, delete: 'postgres://deleter@db/shop' })
	expect(config.vault).toMatch(/^file:\/\/.*\/\.reprieve\/vault$/)
})

test('a host beyond this machine needs TLS in front', () => {
	expect(() => readConfig({ DATABASE_URL: url, REPRIEVE_HOST: '0.0.0.0' })).toThrow(/REPRIEVE_BEHIND_TLS is 0/)
	expect(readConfig({ DATABASE_URL: url, REPRIEVE_HOST: '0.0.0.0', REPRIEVE_BEHIND_TLS: '1' }).host).toBe('0.0.0.0')
})

test('a secret may come as a file, but not twice', () => {
	const file = join(mkdtempSync(join(tmpdir(), 'reprieve-config-')), 'key')
	const key = 'k'.repeat(32)
	writeFileSync(file, `${key}\n`)
	expect(readConfig({ DATABASE_URL: url, REPRIEVE_ADMIN_KEY_FILE: file }).adminKey).toBe(key)
	const both = { DATABASE_URL: url, REPRIEVE_ADMIN_KEY_FILE: file, REPRIEVE_ADMIN_KEY: key }
	expect(() => readConfig(both)).toThrow(/both REPRIEVE_ADMIN_KEY and REPRIEVE_ADMIN_KEY_FILE/)
})

test('a refusal names the variable and never its value', () => {
	expect(() => readConfig({ DATABASE_URL: url, REPRIEVE_ADMIN_KEY: 'short-secret' })).toThrow(
		expect.objectContaining({ code: 'INVALID', message: expect.not.stringContaining('short-secret') }),
	)
})

test('a printed configuration shows no secret', () => {
	const keys = { REPRIEVE_ADMIN_KEY: 'k'.repeat(32), REPRIEVE_SIGNING_KEY: 'pem', REPRIEVE_VAULT_KEY: 'v1:00ff' }
	const config = readConfig({ DATABASE_URL: url, ...keys })
	expect(config.vaultKey).toBe('v1:00ff')
	const printed = JSON.stringify(maskConfig(config))
	expect(printed).toContain('db:5432/shop')
	for (const secret of ['hunter2', 'kkkk', '"pem"', '00ff']) expect(printed).not.toContain(secret)
})
