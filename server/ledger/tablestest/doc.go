// Package tablestest is the acceptance suite for ledger.Tables. Every storage
// engine runs it from its own tests: what passes it may stand behind the
// ledger, and what the simulator proves over one engine holds for the others
// as far as this suite reaches.
package tablestest
