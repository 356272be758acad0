import type { Position } from '@reprieve/contracts'

/** A timeline that a lineage has left, and where: what it committed there and beyond never happened. */
export type EndedTimeline = { timeline: number; end: bigint }

/** The timelines of one lineage: those that it has left, oldest first, and the one that it is on. */
export type Branch = { lineage: string; timeline: number; ended: readonly EndedTimeline[] }

const endMark = /^(.+)@(\d+)\/end$/

/** The `txn` by which the log of transactions remembers where a lineage left a timeline. */
export function endMarkOf(lineage: string, timeline: number): string {
	return `${lineage}@${timeline}/end`
}

/** Source of the receipts of what a lineage had committed on a timeline beyond its end. */
export function undoneSource(lineage: string, timeline: number): string {
	return `${lineage}@${timeline}/undone`
}

/** Source of a lineage's `txn` on its timeline: the lineage alone on its first, each promotion begins another. */
export function branchSource({ lineage, timeline, ended }: Branch): string {
	return ended.length > 0 ? `${lineage}@${timeline}` : lineage
}

/** Timelines that lineages have left, by what a log's `txn` actions say. */
export function endedTimelines(sources: ReadonlyMap<string, bigint>): Map<string, EndedTimeline[]> {
	const ended = new Map<string, EndedTimeline[]>()
	for (const [source, end] of sources) {
		const [, lineage, timeline] = endMark.exec(source) ?? []
		if (lineage === undefined) continue
		ended.set(lineage, [...(ended.get(lineage) ?? []), { timeline: Number(timeline), end }])
	}
	for (const timelines of ended.values()) timelines.sort((a, b) => a.timeline - b.timeline)
	return ended
}

/** The timeline that the history gives for a commit position, whatever connection it comes by. */
export function timelineAt({ timeline, ended }: Branch, position: bigint): number {
	return ended.find(({ end }) => position < end)?.timeline ?? timeline
}

/** Whether a commit lies behind the end of its timeline. */
export function isBeyondEnd(ended: readonly EndedTimeline[], { timeline, lsn }: Position): boolean {
	return ended.some((left) => left.timeline === timeline && lsn >= left.end)
}

/**
 * What a log has of a branch: the position by its own source, else what the timelines before it had, as far as it is
 * common history. `before` makes a position of the end of a timeline: the newest that lies in front of it.
 */
export async function archivedOn(
	log: { archived(source: string): Promise<bigint | undefined> },
	branch: Branch,
	before: (end: bigint) => bigint,
): Promise<bigint | undefined> {
	const own = await log.archived(branchSource(branch))
	const left = branch.ended.at(-1)
	if (own !== undefined || !left) return own
	const earlier = { ...branch, timeline: left.timeline, ended: branch.ended.slice(0, branch.ended.indexOf(left)) }
	const inherited = await archivedOn(log, earlier, before)
	const limit = before(left.end)
	return inherited === undefined || inherited < limit ? inherited : limit
}
