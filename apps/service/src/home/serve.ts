import { readFileSync } from 'node:fs'
import type { Hono } from 'hono'

const files: Record<string, { file: string; type: string }> = {
	'/': { file: 'index.html', type: 'text/html; charset=utf-8' },
	'/home/style.css': { file: 'style.css', type: 'text/css; charset=utf-8' },
	'/home/script.js': { file: 'script.js', type: 'text/javascript; charset=utf-8' },
	'/home/icon.svg': { file: 'icon.svg', type: 'image/svg+xml' },
}

/** Only its own files and its own service: nothing is loaded from elsewhere, nothing inline runs. */
const policy = [
	"default-src 'none'",
	"script-src 'self'",
	"style-src 'self'",
	"img-src 'self'",
	"connect-src 'self'",
	"form-action 'none'",
	"base-uri 'none'",
	"frame-ancestors 'none'",
].join('; ')

/** Serves the start page: static files, open to everybody; what it shows it asks with the key that its reader enters. */
export function serveHome(app: Hono): void {
	for (const [path, { file, type }] of Object.entries(files)) {
		const content = readFileSync(new URL(file, import.meta.url), 'utf8')
		app.get(path, (c) => c.body(content, 200, { 'content-type': type, 'content-security-policy': policy }))
	}
}
