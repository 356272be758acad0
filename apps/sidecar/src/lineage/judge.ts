import { formatLsn } from '@reprieve/contracts'
import type { DatabaseIdentity, LeftTimeline, SlotState } from '@reprieve/postgres'
import type { Branch, VaultLineage } from '@reprieve/vault'

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
	/** Position that the vault has everything before, on the timeline that its lineage is on. */
	archived?: bigint
	/** What the vault says of the timelines of its open lineage. */
	branch?: Branch
	/** The history of the server's timeline, where that is newer than the vault's. */
	history?: LeftTimeline[]
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
	| Promotion
	| Stop

/** The vault's timeline ended where the server's history says; the slot came along. */
export type Promotion = {
	kind: 'promote'
	lineage: VaultLineage
	/** Every timeline before the server's own. */
	ended: LeftTimeline[]
	/** Where the vault's own timeline ended. */
	end: bigint
}

type Stop = { kind: 'stop'; code: string; message: string }

/** Decides whether capture may go on where the vault ends. Pure. */
export function judgeLineage(evidence: Evidence): Verdict {
	const verdict = judgeHistory(evidence)
	if (verdict.kind === 'stop' && verdict.code === 'TIMELINE_CHANGED') return judgePromotion(evidence, verdict)
	if (verdict.kind !== 'one') return verdict
	return judgeEnd(evidence, verdict.lineage) ?? judgeSlot(evidence, verdict.lineage)
}

/** A promotion whose follow-up was cut short is not for the former primary to go on from. */
function judgeEnd({ branch }: Evidence, vault: VaultLineage): Stop | undefined {
	const ended = branch?.ended.find(({ timeline }) => timeline === vault.timeline)
	if (!ended) return undefined
	return stop(
		'TIMELINE_CHANGED',
		`the vault followed a promotion away from timeline ${vault.timeline}, which this server is on`,
	)
}

/** Capture goes on by itself only where nothing is left to guess; `otherwise` says what differs. */
function judgePromotion(evidence: Evidence, otherwise: Stop): Promotion | Stop {
	const { identity, control, vault, slot, branch, history = [], isOnItsWay } = evidence
	if (!vault || !control || !branch) return otherwise
	const refuse = (why: string) => stop(otherwise.code, `${otherwise.message}: ${why}`)
	if (identity.timeline < vault.timeline) return refuse('it is the primary of before a promotion')
	const left = history.find(({ timeline }) => timeline === vault.timeline)
	const isSame = branch.ended.every(({ timeline, end }) =>
		history.some((of) => of.timeline === timeline && of.end === end),
	)
	if (!left || !isSame) return refuse("the vault's timeline is not in its history")
	if (isOnItsWay || (vault.channel && vault.channel.kind !== 'stream'))
		return refuse('changes that come through Kafka are not followed across a promotion')
	if (!slot) return refuse(`slot ${vault.slot} did not come along`)
	if (!slot.synced || slot.walStatus === 'lost')
		return refuse(`slot ${vault.slot} is not the synchronized copy of the former primary's`)
	const knows = (nonce: string | null) => nonce !== null && vault.nonces.some((known) => known.nonce === nonce)
	if (!knows(control.nonce) && !knows(control.previousNonce))
		return refuse('the database knows none of the newest acknowledgements of the vault')
	return { kind: 'promote', lineage: vault, ended: history, end: left.end }
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
