import {
	protectInput,
	protectOutput,
	tableGetInput,
	tableItem,
	tableListInput,
	tableListOutput,
	unprotectInput,
} from '@reprieve/contracts'
import { requireTables } from '../access/grants.ts'
import { get } from '../tables/get.ts'
import { list } from '../tables/list.ts'
import { protect } from '../tables/protect.ts'
import { unprotect } from '../tables/unprotect.ts'
import { command, createRouter, query } from '../trpc.ts'

export const tables = createRouter({
	protect: command
		.meta({ role: 'operator' })
		.input(protectInput)
		.output(protectOutput)
		.mutation(({ ctx, input }) => {
			requireTables(ctx.principal, input.tables)
			return protect(ctx.services, ctx.principal, input)
		}),
	unprotect: command
		.meta({ role: 'admin' })
		.input(unprotectInput)
		.output(protectOutput)
		.mutation(({ ctx, input }) => {
			requireTables(ctx.principal, input.tables)
			return unprotect(ctx.services, ctx.principal, input)
		}),
	get: query
		.meta({ role: 'viewer' })
		.input(tableGetInput)
		.output(tableItem)
		.query(({ ctx, input }) => {
			requireTables(ctx.principal, [input.table])
			return get(ctx.services, ctx.principal, input)
		}),
	list: query
		.meta({ role: 'viewer' })
		.input(tableListInput)
		.output(tableListOutput)
		.query(({ ctx, input }) => list(ctx.services, ctx.principal, input)),
})
