/** `healthy.ts URL`: ends with 0 when the address answers within 4 s that all is well, else with 1. */
const url = process.argv[2] as string
const answer = await fetch(url, { signal: AbortSignal.timeout(4_000) }).then(
	async (response) => ({ isOk: response.ok, text: await response.text() }),
	(error: Error) => ({ isOk: false, text: error.message }),
)
console.log(answer.text)
process.exitCode = answer.isOk ? 0 : 1
