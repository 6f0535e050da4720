// @telltale/client: the live side of a Telltale hub for programs in TypeScript and JavaScript.
//
// Map: protocol (words on the socket), msgpack and codec (how they travel) -> feed (messages as changes), or series, ring and
// subscription (messages applied to columns) -> connection (when to connect again) -> link (the thin shell that owns the one
// socket) -> connect, the door for users, or client, for programs that draw. door and surroundings know browsers and Node.
// Invariant: up to link, nothing knows a document, a window or a clock of its own; time, chance and socket are handed in.

export * from './client.js'
export * from './connect.js'
export * from './connection.js'
export type { Credentials } from './door.js'
export type { Change, DataPoint, Forget, SeriesInfo } from './feed.js'
export type { LinkListener, Surroundings } from './link.js'
export * from './mirror.js'
export * from './protocol.js'
export * from './ring.js'
export * from './selector.js'
export * from './series.js'
export * from './subscription.js'
export type { Fetch, FetchAnswer, Socket, SocketConstructor } from './surroundings.js'
export * from './thin.js'
export * from './units.js'
