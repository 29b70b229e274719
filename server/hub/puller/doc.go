// Package puller is a small consumer of the hub's feed: Pull brings a folder up
// to what is approved, acknowledges it, and compares count and hash of every unit
// with the server's.
//
// The folder holds, per dataset, a log of complete pages as they were received.
// A page and the cursor after it are one append, flushed before anything is
// acknowledged: whatever moment the program is killed at, the log read again ends
// with its last complete page, and the pull goes on from the cursor in it. What a
// unit holds is computed from the log by revision, so a page that comes twice
// counts once. A page that lacks its closing line, or holds an item whose content
// does not fit its hash, is never written; it is asked for again.
//
// It speaks HTTP alone and imports nothing of the server but package canonical:
// it is also the example for those who write their own consumer.
package puller
