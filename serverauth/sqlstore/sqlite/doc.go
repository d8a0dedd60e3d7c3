// Package sqlite stores everything except the signing keys in a SQLite file, for a single server. The driver is pure Go.
//
// Add [Module] to the app and set server_auth.storage_url to sqlite:path, or set server_auth.data_dir. Every change is on the disk
// before the response is sent (write-ahead log, synchronous=FULL). Several processes on one machine may share a file; it must not
// be on a network file system. The file contains secrets and is created with mode 0600.
package sqlite
