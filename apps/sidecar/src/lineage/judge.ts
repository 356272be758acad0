import { formatLsn } from '@reprieve/contracts'
import type { DatabaseIdentity, SlotState } from '@reprieve/postgres'
import type { VaultLineage } from '@reprieve/vault'

/** The open lineage as the control schema knows it. */
export type ControlLineage = {
	id: string
	systemIdentifier: string
	databaseOid: number
	timeline: number
	nonce: string | null
	previousNonce: string | null
}

/** What database, control schema and vault say about their common history. */
export type Evidence = {
	identity: DatabaseIdentity
	control?: ControlLineage
	/** The vault's open lineage of this database. */
	vault?: VaultLineage
	slot?: SlotState
	/** Position that the vault has everything before. */
	archived?: bigint
	/** The slot may stand beyond the vault: the rest lies in Kafka, and is on its way. */
	isOnItsWay?: boolean
}

export type Verdict =
	/** Nothing is known yet, or an opening was cut short: open (the same) lineage. */
	| { kind: 'open'; id?: string }
	| {
			kind: 'continue'
			lineage: VaultLineage
			archived: bigint
			gap?: { from: bigint; reason: string }
			isSlotUsable: boolean
	  }
	| Stop

type Stop = { kind: 'stop'; code: string; message: string }

/** Decides whether capture may go on where the vault ends. Pure. */
export function judgeLineage(evidence: Evidence): Verdict {
	const verdict = judgeHistory(evidence)
	return verdict.kind === 'one' ? judgeSlot(evidence, verdict.lineage) : verdict
}

/** Whether database, control schema and vault have one history, wherever the slot stands. */
export type History = { kind: 'one'; lineage: VaultLineage } | Extract<Verdict, { kind: 'open' | 'stop' }>

/** Decides whether what is archived may be told to this database. Pure. */
export function judgeHistory(evidence: Pick<Evidence, 'identity' | 'control' | 'vault'>): History {
	const { identity, control, vault } = evidence
	if (!control && !vault) return { kind: 'open' }
	if (!control)
		return stop('LINEAGE_UNKNOWN', `the vault has lineage ${vault?.id} of this database, the database knows none`)
	if (!vault) {
		if (control.nonce === null) return { kind: 'open', id: control.id }
		return stop('VAULT_UNKNOWN', `the database belongs to lineage ${control.id}, of which this vault knows nothing`)
	}
	if (control.id !== vault.id) {
		return stop('LINEAGE_CHANGED', `the database belongs to lineage ${control.id}, the vault continues ${vault.id}`)
	}
	return judgeIdentity(identity, vault) ?? judgeNonce(control, vault) ?? { kind: 'one', lineage: vault }
}

function judgeIdentity(identity: DatabaseIdentity, vault: VaultLineage): Stop | undefined {
	const { systemIdentifier, databaseOid, timeline } = identity
	if (systemIdentifier !== vault.systemIdentifier) {
		return stop(
			'LINEAGE_CHANGED',
			`this is system ${systemIdentifier}, the vault has rows of ${vault.systemIdentifier}`,
		)
	}
	if (databaseOid !== vault.databaseOid) {
		return stop('LINEAGE_CHANGED', `this is database ${databaseOid}, the vault has rows of ${vault.databaseOid}`)
	}
	if (timeline === vault.timeline) return undefined
	return stop('TIMELINE_CHANGED', `the server is on timeline ${timeline}, the vault ends on ${vault.timeline}`)
}

function judgeNonce(control: ControlLineage, vault: VaultLineage): Stop | undefined {
	const newest = vault.nonces.at(-1)
	if (!newest || newest.nonce === control.nonce || newest.nonce === control.previousNonce) return undefined
	return stop(
		'DATABASE_REWOUND',
		`the vault's newest acknowledgement (${newest.nonce} at ${newest.position}) is unknown to the database, which has ${control.nonce}: it was rewound or cloned`,
	)
}

function judgeSlot({ slot, archived, isOnItsWay }: Evidence, vault: VaultLineage): Verdict {
	if (archived === undefined) return { kind: 'open', id: vault.id }
	const goOn = { kind: 'continue', lineage: vault, archived } as const
	if (!slot) return { ...goOn, isSlotUsable: false, gap: { from: archived, reason: `slot ${vault.slot} was gone` } }
	if (slot.walStatus === 'lost') {
		return { ...goOn, isSlotUsable: false, gap: { from: archived, reason: `slot ${vault.slot} lost the log it needs` } }
	}
	if (slot.confirmed <= archived || isOnItsWay) return { ...goOn, isSlotUsable: true }
	const reason = `slot ${vault.slot} stood at ${formatLsn(slot.confirmed)}, the vault ended at ${formatLsn(archived)}`
	return { ...goOn, isSlotUsable: true, gap: { from: archived, reason } }
}

function stop(code: string, message: string): Stop {
	return { kind: 'stop', code, message }
}
