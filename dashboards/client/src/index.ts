// @telltale/client: the live side of a Telltale hub for programs in TypeScript.
//
// Map: protocol (words on the socket) -> series and ring (what is held) -> subscription (messages applied to series)
// -> connection (when to connect again) -> client (the thin shell that owns the one socket).
// Invariant: nothing here knows a document, a window or a clock of its own; time, chance and the socket are handed in.
export * from './client'
export * from './connection'
export * from './protocol'
export * from './ring'
export * from './selector'
export * from './series'
export * from './subscription'
export * from './thin'
export * from './units'
