import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

/** Files of a key and its self-signed certificate for localhost, made by openssl in `folder`. */
export function makeCertificate(folder: string): { key: string; certificate: string } {
	const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'ca.pem')]
	const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
	const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', certificate]
	execFileSync('openssl', [...made, ...subject], { stdio: 'ignore' })
	return { key, certificate }
}
