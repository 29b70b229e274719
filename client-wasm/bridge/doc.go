// Package bridge answers the calls that the page may make and tells it what
// happens: the other half of web/src/bridge.ts, which is the contract. It is
// plain Go, tested natively over real stores; what only a browser has (the
// encrypted store, fetch, the WebSocket) it is given as functions.
//
// A Bridge has at most one account open. Call takes a name and arguments as
// JSON and returns {"ok":...} or {"error":{code,vi,en,field?}}; it never
// panics, and may be called from any goroutine. Events go out through
// Config.Emit: status at most four times a second, its last value always, and
// before the answer to a save that made "synced" untrue; changed gathered over a
// moment.
//
// An open account synchronises by itself: over the WebSocket, or, when that
// fails twice while fetch works, over HTTPS POST until the socket works again.
// The refresh token lies in the account's encrypted store, and its successor
// is durable there before it is used; the access token is only ever in memory.
// When the server says that the device or the account is closed, the account
// is closed here too, with its unsent work sealed in the store.
//
// Beside its records an account keeps the directory of the people whom they
// name, so that the page can show names without a network, and the last reply to
// each request of the page that asked for that.
//
// While a store is young (see package driver), what it commits is copied into
// a Mirror before the commit counts; opening puts back what the store lost.
//
// The package refuses to decide about records (package replica does), to hold
// passwords, and to tell the page anything that is not in the contract.
package bridge
