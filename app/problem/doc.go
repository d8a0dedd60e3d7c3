// Package problem implements the error replies of all endpoints (RFC 9457): [Problem] is a Go error, and [Write] writes any
// error as a reply. The reply reveals nothing of an error that is not a Problem.
//
// The package needs only net/http. Package app also converts echo's errors.
package problem
