import { answer, type Raw } from './connect.ts'
import type { Page, ProtectInput, ProtectOutput, TableItem, TableList, UnprotectInput } from './contract.ts'

/** What is protected and whether its gate is open. */
export type Tables = {
	/** Checks, then protects the tables with everything that their deletes reach; with `wait` it answers when they are ready. */
	protect(input: ProtectInput): Promise<ProtectOutput>
	/** Puts the former replica identity back and removes what protecting added; the archive stays. */
	unprotect(input: UnprotectInput): Promise<ProtectOutput>
	get(table: string): Promise<TableItem>
	list(page?: Page): Promise<TableList>
}

/** The tables' calls over a raw client. */
export function tablesOf(trpc: Raw): Tables {
	return {
		protect: (input) => answer(trpc.tables.protect.mutate(input)),
		unprotect: (input) => answer(trpc.tables.unprotect.mutate(input)),
		get: (table) => answer(trpc.tables.get.query({ table })),
		list: (page = {}) => answer(trpc.tables.list.query(page)),
	}
}
