// Package auth answers who is asking, and what they may do.
//
// Accounts is the administration: creating, moving, disabling, passwords,
// enrolment codes, devices; each act is authorised, audited and, where it takes
// something away, closes the open sockets concerned, all around one transaction.
// Service is signing in: passwords, throttling, enrolment of devices, refresh
// tokens with rotation and reuse detection, short access tokens, and
// Authenticate, which every request and every socket message passes. Can is the
// one place that decides on rows and fields by role and unit.
//
// Rights are read from the database at each request, never from a token: a
// token only names an account, a device and a sign-in. README.md states the
// rules of the tokens.
//
// The package holds no SQL, stores no secret but as a hash, and logs no name.
package auth
