import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inject } from 'vitest'
import { type Gateway, type S3Server, startGateway, whyNoS3 } from './versitygw.ts'

declare module 'vitest' {
	export interface ProvidedContext {
		/** Where the run's one S3 server is asked for. */
		s3Url: string
	}
}

/** False: S3's suites are skipped, as the run's first lines say. */
export const hasS3 = whyNoS3() === null

/** A server to test beside our own, given by REPRIEVE_TEST_S3_ENDPOINT, _ACCESS_KEY and _SECRET_KEY. */
export const givenS3: S3Server | undefined = givenBy(process.env)

/** The run's one S3 server, built and started when it is first asked for; tests share it, each with buckets of its own. */
export async function sharedS3(): Promise<S3Server> {
	const response = await fetch(inject('s3Url'))
	if (!response.ok) throw new Error(await response.text())
	return (await response.json()) as S3Server
}

/** Serves the shared server to the test files of one run; with CI set, fails when none can be started. */
export async function shareS3(): Promise<{ url: string; stop(): Promise<void> }> {
	const why = whyNoS3()
	if (why && process.env.CI) throw new Error(`S3's tests cannot run: ${why}`)
	if (why) console.warn(`\n!! S3's tests are SKIPPED: ${why}\n`)
	let gateway: Promise<Gateway> | undefined
	const server = createServer((_request, response) => {
		gateway ??= startGateway()
		gateway.then(
			({ endpoint, accessKeyId, secretAccessKey }) =>
				response.end(JSON.stringify({ endpoint, accessKeyId, secretAccessKey })),
			(error) => response.writeHead(500).end(String(error)),
		)
	})
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
	return {
		url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
		async stop() {
			server.close()
			await (await gateway?.catch(() => undefined))?.stop()
		},
	}
}

function givenBy(env: NodeJS.ProcessEnv): S3Server | undefined {
	const endpoint = env.REPRIEVE_TEST_S3_ENDPOINT
	if (!endpoint) return undefined
	const [accessKeyId, secretAccessKey] = [env.REPRIEVE_TEST_S3_ACCESS_KEY, env.REPRIEVE_TEST_S3_SECRET_KEY]
	if (!accessKeyId || !secretAccessKey)
		throw new Error('REPRIEVE_TEST_S3_ENDPOINT needs REPRIEVE_TEST_S3_ACCESS_KEY and REPRIEVE_TEST_S3_SECRET_KEY')
	return { endpoint, accessKeyId, secretAccessKey }
}
