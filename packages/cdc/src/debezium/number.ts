/** PostgreSQL's text of a float8, from any decimal spelling of it. */
export function float8Text(text: string): string {
	return spell(Number(text), shortest8, 15)
}

/** PostgreSQL's text of a float4, from any decimal spelling of it. */
export function float4Text(text: string): string {
	return spell(Math.fround(Number(text)), shortest4, 6)
}

/** A numeric without exponent: its scale is the number of digits behind the point. */
export function plainDecimal(text: string): string | undefined {
	const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,6}))?$/.exec(text)
	if (!match) return undefined
	const [, sign = '', whole = '', fraction = '', exponent = '0'] = match
	const point = whole.length + Number(exponent)
	const digits = whole + fraction
	if (Math.abs(point) > 200_000) return undefined
	const padded = point > digits.length ? digits.padEnd(point, '0') : digits
	const before = point > 0 ? padded.slice(0, point) : '0'
	const behind = point > 0 ? padded.slice(point) : '0'.repeat(-point) + padded
	return `${sign}${before.replace(/^0+(?=\d)/, '')}${behind ? `.${behind}` : ''}`
}

/** Fewest digits that read back as the same number, as `d.ddde±x`. */
function shortest8(value: number): string {
	return value.toExponential()
}

function shortest4(value: number): string {
	for (let digits = 0; digits < 9; digits++) {
		const text = value.toExponential(digits)
		if (Math.fround(Number(text)) === value) return text
	}
	return value.toExponential(8)
}

/** As the server writes it: an exponent of two digits or more, below 1e-4 and from `limit` digits on. */
function spell(value: number, shortest: (value: number) => string, limit: number): string {
	if (Number.isNaN(value)) return 'NaN'
	if (!Number.isFinite(value)) return value < 0 ? '-Infinity' : 'Infinity'
	if (value === 0) return Object.is(value, -0) ? '-0' : '0'
	const [mantissa = '', exponent = '0'] = shortest(value).split('e')
	const power = Number(exponent)
	if (power >= -4 && power < limit) return plainDecimal(`${mantissa}e${power}`) ?? mantissa
	const magnitude = Math.abs(power).toString().padStart(2, '0')
	return `${mantissa}e${power < 0 ? '-' : '+'}${magnitude}`
}
