// Package town is for tests of scenes that need a few devices and a server, told
// step by step where the simulator draws them: records that move, officers who
// are moved, units that are split, definitions that change. The devices are the
// production replica and session, the server is the production session and
// ledger over tables in memory; only sockets and disks are left out.
//
// It is no second simulator: nothing is drawn, nothing goes wrong but what a
// scene says. Package city draws such scenes, over the whole server.
package town
