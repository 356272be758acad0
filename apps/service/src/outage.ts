const depthAtMost = 8

/** The first SQLSTATE or system code in an error and its causes, and the error that has it; a query builder wraps what the driver threw. */
export function databaseError(error: unknown): { code: string; message: string } | undefined {
	for (let at = error, depth = 0; at instanceof Error && depth < depthAtMost; at = at.cause, depth++) {
		const { code } = at as { code?: unknown }
		if (typeof code === 'string' && code !== '') return { code, message: at.message }
	}
	return undefined
}

const outage =
	/^(08\w{3}|57P0[123]|53300|CONNECT(ION)?_[A-Z_]+|ECONN[A-Z]+|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/

/** Whether a code says that the connection ended, or that there was none to be had: the server is away or full, for now. */
export function isOutage(code: string): boolean {
	return outage.test(code)
}
