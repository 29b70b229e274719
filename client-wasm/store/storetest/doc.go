// Package storetest is the contract of replica.Store as a test: every store,
// in memory, in a native file and in the browser, passes the same suite. It
// makes no demands of its own beyond the interface's comments.
package storetest
