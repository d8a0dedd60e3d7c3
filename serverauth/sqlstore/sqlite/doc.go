// Package sqlite keeps everything but the signing keys in a SQLite file: the storage of a single server. The driver is
// pure Go.
//
// Add [Module] to the app and set server_auth.storage_url to sqlite:path, or server_auth.data_dir. Every change is on
// the disk before it is answered (write-ahead log, full synchronisation). Several processes of one machine may share a
// file; a network file system will not do. The file holds secrets and is made with mode 0600.
package sqlite
