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
import { command, createRouter, query } from '../trpc.ts'
import { pending } from './pending.ts'

export const tables = createRouter({
	protect: command
		.meta({ role: 'operator' })
		.input(protectInput)
		.output(protectOutput)
		.mutation(({ ctx, input }) => {
			requireTables(ctx.principal, input.tables)
			return pending()
		}),
	unprotect: command
		.meta({ role: 'admin' })
		.input(unprotectInput)
		.output(protectOutput)
		.mutation(({ ctx, input }) => {
			requireTables(ctx.principal, input.tables)
			return pending()
		}),
	get: query
		.meta({ role: 'viewer' })
		.input(tableGetInput)
		.output(tableItem)
		.query(({ ctx, input }) => {
			requireTables(ctx.principal, [input.table])
			return pending()
		}),
	list: query
		.meta({ role: 'viewer' })
		.input(tableListInput)
		.output(tableListOutput)
		.query(() => pending()),
})
