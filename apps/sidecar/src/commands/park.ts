import { userInfo } from 'node:os'
import { ReprieveError } from '@reprieve/contracts'
import { openControl } from '@reprieve/control'
import { openSessions, watchConnections } from '@reprieve/postgres'
import { parkRecord } from '../frames/park.ts'
import { openKafka } from '../kafka/client.ts'
import type { CommandInput } from './command.ts'
import { processLog } from './follow.ts'
import { kafkaOf } from './kafka.ts'

/** `park`: puts one record aside at which archiving stands. */
export async function parkCommand({ config, vault, database, options, say }: CommandInput): Promise<void> {
	const { topic, partition, offset, reason } = options
	if (!topic || !reason) throw new ReprieveError('INVALID', '--topic and --reason are needed')
	const place = { topic, partition: Number(numberOf('partition', partition)), offset: numberOf('offset', offset) }
	const kafka = await kafkaOf(config, database)
	const sql = openSessions(config.sidecar.databaseUrl, { applicationName: 'reprieve park', max: 1 })
	const watch = watchConnections(config.sidecar.databaseUrl)
	const control = openControl(config.sidecar.databaseUrl, { applicationName: 'reprieve park', max: 1, watch })
	try {
		const ground = { kafka: openKafka(kafka, processLog(config.logLevel)), sql, control, vault }
		const copy = await parkRecord(ground, { ...place, reason, principal: userInfo().username })
		say(copy ? `parked in ${copy}` : 'parked; Kafka has the record no more, so there is no copy')
	} finally {
		await Promise.all([sql.end({ timeout: 5 }), control.close()])
	}
}

function numberOf(name: string, text: string | undefined): bigint {
	if (text !== undefined && /^\d{1,18}$/.test(text)) return BigInt(text)
	throw new ReprieveError('INVALID', `--${name} is ${text ?? 'missing'}, it is a whole number`)
}
