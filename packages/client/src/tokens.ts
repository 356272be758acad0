import { answer, type Raw } from './connect.ts'
import type { Page, Token, TokenCreateInput, TokenList, TokenSecret } from './contract.ts'

/** API keys. */
export type Tokens = {
	/** The answer's `secret` is shown this once and never stored. */
	create(input: TokenCreateInput): Promise<TokenSecret>
	list(page?: Page): Promise<TokenList>
	revoke(id: string): Promise<Token>
}

/** The keys' calls over a raw client. */
export function tokensOf(trpc: Raw): Tokens {
	return {
		create: (input) => answer(trpc.tokens.create.mutate(input)),
		list: (page = {}) => answer(trpc.tokens.list.query(page)),
		revoke: (id) => answer(trpc.tokens.revoke.mutate({ id })),
	}
}
