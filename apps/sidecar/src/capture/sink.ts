import type { Standpoint } from '../archive/record.ts'
import type { CommittedTransaction } from './transaction.ts'

/** Where capture takes what it decoded: the vault, or Kafka. One flush at a time, in order. */
export interface ChangeSink {
	readonly standpoint: Omit<Standpoint, 'state'>
	/** Takes a transaction whose COMMIT has arrived; its rows are in the buffers. */
	add(transaction: CommittedTransaction): void
	/** The server has sent everything before `position`. Not inside a transaction. */
	keepalive(position: bigint): void
	/** Resolves when memory allows to go on; undefined when it does already. */
	relief(): Promise<void> | undefined
	/** Resolves when everything that has committed is where it goes. Throws what ended the sink. */
	drain(): Promise<void>
	/** Lets a running flush end and starts no more. */
	stop(): Promise<void>
}
