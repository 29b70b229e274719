// Wardbook's client, built twice from one replica. For the browser (js/wasm,
// files ending _js.go) it is the module that runs in the page's worker beside
// SQLite. For a desktop (files ending _native.go) it is wardbook-device, the
// same client without a screen, for scripts, tests and load generators; its
// command line is a contract, see -help.
//
// Package main only wires: what a client does is in package replica, what it
// keeps in package store, how the page asks for it in package bridge. Only the
// native files may reach net/http, gorilla's dialer and SQLite's C library:
// the browser's module leaves them out, and a test enforces it.
package main
