import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readConfig } from './config.ts'

const url = 'postgres://app@db:5432/shop'

test('the keys of the vault may come as a file, but not twice', () => {
	const file = join(mkdtempSync(join(tmpdir(), 'reprieve-config-')), 'key')
	writeFileSync(file, 'v1:00ff\n')
	expect(readConfig({ DATABASE_URL: url }).vaultKey).toBeUndefined()
	expect(readConfig({ DATABASE_URL: url, REPRIEVE_VAULT_KEY: 'v1:ff00' }).vaultKey).toBe('v1:ff00')
	expect(readConfig({ DATABASE_URL: url, REPRIEVE_VAULT_KEY_FILE: file }).vaultKey).toBe('v1:00ff')
	const both = { DATABASE_URL: url, REPRIEVE_VAULT_KEY_FILE: file, REPRIEVE_VAULT_KEY: 'v1:ff00' }
	expect(() => readConfig(both)).toThrow(/both REPRIEVE_VAULT_KEY and REPRIEVE_VAULT_KEY_FILE/)
})
