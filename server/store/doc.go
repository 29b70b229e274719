// Package store holds what the server's storage engines have in common: the
// types of accounts, devices, tokens, enrolment codes and audit entries, and
// the errors that callers branch on.
//
// It holds no SQL and opens nothing: that is the work of an engine, of which
// sqlite is the default. Rules (who may do what) live in the auth package;
// the types here are what is written down, nothing more.
package store
