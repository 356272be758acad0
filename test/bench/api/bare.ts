import { createServer } from 'node:http'

/** Answers every request with the bytes given, and nothing else: `bare.ts PORT BODY`. */
const [port, body = ''] = process.argv.slice(2)

createServer((_, response) => {
	response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
	response.end(body)
}).listen(Number(port), '127.0.0.1')
