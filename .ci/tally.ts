import { readFileSync } from 'node:fs'

type Report = {
	numPassedTests: number
	numFailedTests: number
	numPendingTests: number
	testResults: { name: string; status: string; assertionResults: { status: string }[] }[]
}

const report = JSON.parse(readFileSync(process.argv[2] as string, 'utf8')) as Report
const brokenFiles = report.testResults.filter(
	(file) => file.status === 'failed' && file.assertionResults.every((result) => result.status !== 'failed'),
)
for (const file of brokenFiles) console.log(`could not run ${file.name}`)
const failed = report.numFailedTests + brokenFiles.length
console.log(`${report.numPassedTests} passed, ${failed} failed, ${report.numPendingTests} skipped`)
if (report.numPassedTests === 0 || failed > 0) process.exitCode = 1
