// Package replicatest is the least server that a replica can be tested
// against: the real session.Server over maps, with the merging of package
// conflict. It knows no accounts and forgets nothing on purpose.
//
// It is no model of the server's: it judges nothing but what Server.Refuse
// tells it to. The simulator drives the real one.
package replicatest
