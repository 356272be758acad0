import autocannon from 'autocannon'

/** Asks for so many seconds over as many connections as there are paths, each for its own: `fire.ts ORIGIN KEY SECONDS PATH...`. */
const [origin = '', key = '', seconds, ...paths] = process.argv.slice(2)

const left = [...paths]
const result = await autocannon({
	...{ url: origin, connections: paths.length, duration: Number(seconds) },
	headers: { authorization: `Bearer ${key}` },
	setupClient: (client) => client.setRequests([{ method: 'GET', path: left.pop() ?? '/' }]),
})
process.stdout.write(JSON.stringify(result))
