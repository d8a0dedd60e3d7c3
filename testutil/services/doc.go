// Package services runs the servers that stores need, for tests: the machine's own postgres and redis-server, each in
// a folder of its own, on a free loopback port, with a password, until the test ends. A test can stop, kill, pause and
// start them again to see what an outage does.
//
// Where a program is not installed the test is skipped and says so, unless PICOAUTH_REQUIRE_SERVICES=1 is set: then it
// fails. On Debian: apt-get install postgresql redis-server.
package services
