// Package bench holds picoauth against its peers: tokens that other libraries verify and make. It is a module of its own,
// so that none of them becomes a requirement of an app that uses picoauth.
//
// What is not installed is skipped loudly, unless PICOAUTH_REQUIRE_SERVICES=1 is set: then it fails. On Debian:
// apt-get install nodejs npm python3-jwt python3-jose python3-cryptography.
package bench
