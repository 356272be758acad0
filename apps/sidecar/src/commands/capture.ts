import { startSidecar } from '../start.ts'
import { type CommandInput, optionOf } from './command.ts'
import { processLog, untilStopped } from './follow.ts'

/** `capture`: the log into the vault, or into Kafka. */
export async function captureCommand({ config, vault, options, onState }: CommandInput): Promise<void> {
	optionOf('sink', options.sink, ['vault'])
	await untilStopped(startSidecar(config.sidecar, { vault, log: processLog(config.logLevel), onState }))
}
