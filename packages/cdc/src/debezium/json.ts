import { ReprieveError } from '@reprieve/contracts'

/** A number as it was written: JavaScript's own would round what is beyond 2^53. */
export class JsonNumber {
	readonly text: string

	constructor(text: string) {
		this.text = text
	}
}

export type Json = null | boolean | string | JsonNumber | Json[] | JsonObject
/** Names in the order in which they came. */
export type JsonObject = Map<string, Json>

/** Values inside each other; Debezium's have five, a stranger's may not use up the stack. */
const maxDepth = 64
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y

/** Parses JSON without loss: numbers stay text. Throws INTERNAL on anything else than one JSON value. */
export function parseJson(text: string): Json {
	const reader = new JsonReader(text)
	const value = reader.value(0)
	reader.end()
	return value
}

class JsonReader {
	readonly #text: string
	#at = 0

	constructor(text: string) {
		this.#text = text
	}

	value(depth: number): Json {
		if (depth > maxDepth) throw this.#broken()
		this.#skip()
		const first = this.#text.charCodeAt(this.#at)
		if (first === 0x22) return this.#string()
		if (first === 0x7b) return this.#object(depth)
		if (first === 0x5b) return this.#array(depth)
		if (first === 0x6e) return this.#word('null', null)
		if (first === 0x74) return this.#word('true', true)
		if (first === 0x66) return this.#word('false', false)
		return this.#number()
	}

	end(): void {
		this.#skip()
		if (this.#at < this.#text.length) throw this.#broken()
	}

	#object(depth: number): JsonObject {
		const object: JsonObject = new Map()
		this.#at++
		if (this.#ends(0x7d)) return object
		do {
			this.#skip()
			if (this.#text.charCodeAt(this.#at) !== 0x22) throw this.#broken()
			const name = this.#string()
			if (!this.#ends(0x3a)) throw this.#broken()
			object.set(name, this.value(depth + 1))
		} while (this.#ends(0x2c))
		if (!this.#ends(0x7d)) throw this.#broken()
		return object
	}

	#array(depth: number): Json[] {
		const array: Json[] = []
		this.#at++
		if (this.#ends(0x5d)) return array
		do array.push(this.value(depth + 1))
		while (this.#ends(0x2c))
		if (!this.#ends(0x5d)) throw this.#broken()
		return array
	}

	/** Escapes are rare and left to JSON.parse, which knows them all. */
	#string(): string {
		const start = this.#at + 1
		let end = this.#text.indexOf('"', start)
		while (end > 0 && this.#isEscapedAt(end, start)) end = this.#text.indexOf('"', end + 1)
		if (end < 0) throw this.#broken()
		const inside = this.#text.slice(start, end)
		this.#at = end + 1
		if (!inside.includes('\\')) return inside
		try {
			return JSON.parse(`"${inside}"`) as string
		} catch {
			throw this.#broken()
		}
	}

	#isEscapedAt(quote: number, start: number): boolean {
		let slashes = 0
		while (quote - slashes > start && this.#text.charCodeAt(quote - slashes - 1) === 0x5c) slashes++
		return slashes % 2 === 1
	}

	#number(): JsonNumber {
		number.lastIndex = this.#at
		const match = number.exec(this.#text)
		if (!match) throw this.#broken()
		this.#at = number.lastIndex
		return new JsonNumber(match[0])
	}

	#word<T extends Json>(word: string, value: T): T {
		if (!this.#text.startsWith(word, this.#at)) throw this.#broken()
		this.#at += word.length
		return value
	}

	/** Takes one character if it comes next. */
	#ends(code: number): boolean {
		this.#skip()
		if (this.#text.charCodeAt(this.#at) !== code) return false
		this.#at++
		return true
	}

	#skip(): void {
		for (;;) {
			const code = this.#text.charCodeAt(this.#at)
			if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
			this.#at++
		}
	}

	#broken(): ReprieveError {
		return new ReprieveError('INTERNAL', `what Debezium sent is no JSON at character ${this.#at}`, {
			hint: 'Use org.apache.kafka.connect.json.JsonConverter for keys and values.',
		})
	}
}
