/** Tables that must be restored together: the strongly connected components of the foreign-key graph. */
export type Component = {
	/** OIDs. */
	tables: number[]
	/** True when a foreign key leads from one of the tables to one of them (a self reference or a cycle). */
	internal: boolean
}

/** One foreign key between two of the tables. */
export type Edge = { child: number; parent: number }

/** Components with parents before children (Tarjan); stable for the same input. */
export function orderByForeignKeys(tables: number[], edges: Edge[]): Component[] {
	const parents = new Map(tables.map((table) => [table, [] as number[]]))
	for (const edge of edges) if (parents.has(edge.parent)) parents.get(edge.child)?.push(edge.parent)
	const index = new Map<number, number>()
	const low = new Map<number, number>()
	const stack: number[] = []
	const components: Component[] = []

	function visit(table: number): void {
		const own = index.size
		index.set(table, own)
		low.set(table, own)
		stack.push(table)
		for (const parent of parents.get(table) ?? []) {
			if (!index.has(parent)) visit(parent)
			if (stack.includes(parent)) low.set(table, Math.min(low.get(table) ?? own, low.get(parent) ?? own))
		}
		if (low.get(table) === own) components.push(popComponent(table))
	}

	function popComponent(root: number): Component {
		const members = stack.splice(stack.indexOf(root)).sort((a, b) => a - b)
		const internal = edges.some((edge) => members.includes(edge.child) && members.includes(edge.parent))
		return { tables: members, internal }
	}

	for (const table of tables) if (!index.has(table)) visit(table)
	return components
}
