// Package live tells open sessions that the feed has grown.
//
// It carries positions, never data: who hears of a position reads the durable
// pages behind it. A missed call costs nothing but time, for the next one
// names a position that covers it.
package live
