// Package storageurl checks storage URLs: it refuses one whose password is not percent-encoded, because a part of that
// password could otherwise be used as a host.
package storageurl
