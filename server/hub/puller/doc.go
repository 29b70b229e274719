// Package puller is a small consumer of the hub's feed: it pulls every dataset
// into a folder, resumes after any cut, never counts a page twice, acknowledges
// what is durable, and in the end compares counts and hashes with the server.
//
// It knows the feed by its HTTP form alone and imports nothing of the server
// but the canonical JSON that both must compute alike.
package puller
