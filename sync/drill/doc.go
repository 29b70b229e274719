// Package drill practises what must never be tried for the first time on the day
// when it is needed: it loses a server, for real but on a folder of its own, and
// counts what is left.
//
// Restore starts the program itself as a server, lets headless devices work
// against it, takes a backup in the midst of it, kills the server, loses a device
// and everything since the backup, restores, lets the other devices come back, and
// then cuts the power right behind what they gave back. What a device that knows
// nothing is told afterwards must be what the others had before.
//
// A power cut is the copy of the data folder without what the kernel had not been
// made to write: strace tells which writes no completed flush covers. Without
// strace the server is only killed, and the drill says so.
//
// Like the simulator and the benchmark it drives both ends; no other room does.
package drill
