import { type Finding, wrongSettings } from '@reprieve/contracts'

/** What Kafka Connect's REST says of one connector. */
type Connector = {
	info: { config: Record<string, string> }
	status: { connector: { state: string }; tasks: { state: string; trace?: string }[] }
}

export type ConnectorQuestion = {
	/** Address of Kafka Connect's REST. */
	url: string
	/** `topic.prefix` of the connector. */
	prefix: string
	slot: string
}

/** Milliseconds to wait for Connect's answer. */
const patienceMs = 5_000

/**
 * What is wrong with the connector that writes the topics of `prefix`: settings, by Kafka Connect's REST, and whether
 * it runs. Only the address given is asked; a redirect is not followed.
 */
export async function checkConnector(question: ConnectorQuestion): Promise<Finding[]> {
	const asked = new URL('connectors?expand=info&expand=status', question.url.replace(/\/*$/, '/'))
	const answer = await ask(asked)
	if (typeof answer === 'string') return [unreachable(asked.host, answer)]
	const ours = Object.entries(answer).filter(([, { info }]) => info.config['topic.prefix'] === question.prefix)
	const [found, ...more] = ours
	if (!found) return [absent(question)]
	if (more.length > 0)
		return [
			several(
				question.prefix,
				ours.map(([name]) => name),
			),
		]
	const [name, connector] = found
	return [...wrongSettings(name, connector.info.config, question), ...stateFindings(name, connector)]
}

async function ask(address: URL): Promise<Record<string, Connector> | string> {
	try {
		const response = await fetch(address, { redirect: 'error', signal: AbortSignal.timeout(patienceMs) })
		if (!response.ok) return `it answered ${response.status}`
		return (await response.json()) as Record<string, Connector>
	} catch (error) {
		return (error as Error).message
	}
}

function stateFindings(name: string, { status }: Connector): Finding[] {
	const states = [status.connector, ...status.tasks].map((one) => one.state)
	const [task] = status.tasks
	if (task && states.every((state) => state === 'RUNNING')) return []
	const shown = [...new Set(states), ...(task ? [] : ['without a task'])]
	const cause = task?.trace?.split('\n').findLast((line) => line.startsWith('Caused by:'))
	return [
		{
			code: 'connectorState',
			message: `connector ${name} is ${shown.join(', ')}${cause ? `: ${cause.slice(0, 300)}` : ''}`,
			remedy: 'Look at the log of Kafka Connect, then restart the connector and its tasks.',
		},
	]
}

function unreachable(host: string, why: string): Finding {
	return {
		code: 'connectUnreachable',
		message: `Kafka Connect at ${host} cannot be asked about its connector: ${why}`,
		remedy: 'Start Kafka Connect, or put REPRIEVE_CONNECT_URL right.',
	}
}

function absent({ prefix }: ConnectorQuestion): Finding {
	return {
		code: 'connectorMissing',
		message: `Kafka Connect has no connector with topic.prefix ${prefix}`,
		remedy: 'Post what `reprieve debezium config` prints to /connectors.',
	}
}

function several(prefix: string, names: string[]): Finding {
	return {
		code: 'connectorTwice',
		message: `the connectors ${names.join(', ')} all write topics of ${prefix}`,
		remedy: 'Delete all but one of them.',
	}
}
