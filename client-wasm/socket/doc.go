// Package socket is the browser's way to the server: its WebSocket, and fetch
// for everything that is a request and a reply. Both are used through
// syscall/js, so that net/http stays out of the module.
//
// A Conn is the transport that replica.Run wants: binary messages, in order,
// or an error after which nothing comes. It keeps a bounded queue of what has
// arrived and not been taken; a peer that sends more than that is hung up on,
// and the session resumes by its cursors.
//
// Fetch sends the access token in the Authorization header and nothing else
// that names the user: no cookie, no token in an address.
//
// Outside the browser the package is empty. It knows nothing of messages,
// tokens or retries.
package socket
