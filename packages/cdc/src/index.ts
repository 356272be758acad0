export * from './message.ts'
export * from './pgoutput/decode.ts'
export * from './pgoutput/messages.ts'
export * from './rows/builder.ts'
