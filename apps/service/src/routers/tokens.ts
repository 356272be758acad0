import {
	token,
	tokenCreateInput,
	tokenCreateOutput,
	tokenListInput,
	tokenListOutput,
	tokenRevokeInput,
} from '@reprieve/contracts'
import { createToken } from '../tokens/create.ts'
import { listTokens } from '../tokens/list.ts'
import { revokeToken } from '../tokens/revoke.ts'
import { command, createRouter, query } from '../trpc.ts'

export const tokens = createRouter({
	create: command
		.meta({ role: 'admin', secret: true })
		.input(tokenCreateInput)
		.output(tokenCreateOutput)
		.mutation(({ ctx, input }) => createToken(ctx.services, ctx.principal, input, ctx.newId)),
	list: query
		.meta({ role: 'admin' })
		.input(tokenListInput)
		.output(tokenListOutput)
		.query(({ ctx, input }) => listTokens(ctx.services, ctx.principal, input)),
	revoke: command
		.meta({ role: 'admin' })
		.input(tokenRevokeInput)
		.output(token)
		.mutation(({ ctx, input }) => revokeToken(ctx.services, ctx.principal, input)),
})
