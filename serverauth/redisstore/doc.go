// Package redisstore stores what serverauth must remember in Redis 6.2 or newer (or Valkey), for any number of processes:
//
//	app.New(serverauth.Module, redisstore.Module, …)  // storage_url: redis://user:password@host:6379/0
//
// The URL is redis:// or, for TLS, rediss://; for Redis Sentinel and Redis Cluster see below. Its parameters dial_timeout (1s),
// read_timeout and write_timeout (3s) and pool_timeout (1s) limit how long a call waits for a server that does not answer.
// pool_size (10 for each CPU) and min_idle_conns set the numbers of connections. ca_file names a PEM file of authorities that are
// trusted for TLS instead of the system's. Nothing is retried: a call whose answer was lost returns an error, but may have been
// carried out. When the server is back the next call succeeds, after a second at the latest.
//
// # Durability
//
// When a method returns, its changes are in Redis. How safe they are there depends on the configuration of Redis:
//
//   - appendonly yes, appendfsync always: they survive a crash of the machine.
//   - appendfsync everysec, the default of appendonly: they survive a crash of redis-server. A crash of the machine loses
//     the last second or two: sessions that began then end, a logout or a revocation may be undone, and a used nonce may be
//     used again until it expires.
//   - snapshots only: the same for everything since the last snapshot.
//   - neither: a restart ends all sessions and, if the keys are there too, all tokens. Used nonces stay used, because their
//     key is new after a restart. Then store revocations elsewhere, unless the keys are in the same server.
//
// Replication is asynchronous: a failover can lose the last writes. Open warns if a server has replicas or no append-only file,
// and refuses one that evicts keys when its memory is full: maxmemory-policy must be noeviction. If the memory is full, sign-ins
// get the status 429 and other requests get errors.
//
// # Expiry
//
// Redis removes what has expired by its own clock: sessions about an access token's lifetime after their refresh token, the
// cut-offs of ended subjects after two hours, and used nonces two minutes and the clock skew after their expiry. There
// Cleanup removes nothing, and Prune only removes the ids of expired rows from lists. Revocations and mints are pruned.
//
// # Sentinel
//
// redis+sentinel://user:password@host:port,host:port/master?db=0 (or rediss+sentinel://) names some or all of the sentinels, and
// the master by its name in their configuration. The user and password are those of the master and its replicas; the parameters
// sentinel_username and sentinel_password are for the sentinels. With TLS the sentinels and the servers each have a certificate
// for the address by which they are reached. If the master fails, calls fail until the sentinels have promoted a replica. Writes
// that the replica had not received are lost (see above). Set min-replicas-to-write, so that a master without replicas accepts no
// writes.
//
// # Cluster
//
// redis+cluster://user:password@host:port,host:port (or rediss+cluster://) names some or all of the nodes; with TLS each has a
// certificate for the address that the cluster announces. A redis:// URL of one node is recognised as a cluster too. Each kind of
// store has one hash tag, such as {picoauth:sessions}, so that all keys of a script are in one slot: ending the sessions of a
// subject and refusing new ones is one atomic step. So one kind of store cannot be spread over several nodes, but the seven
// kinds can; one node does about ten thousand such steps a second. Scripts also access rows in the same slot that KEYS does not
// name. Two deployments can share a server with different databases, but cannot share a cluster.
//
// # Secrets
//
// Private keys are encrypted with server_auth.key_encryption_key; without it, keys cannot be stored here. The key for nonces is
// not encrypted: whoever can read the database can make nonces, which are useless without a wallet's signature. Whoever can write
// to the database can undo revocations. A dedicated user needs the keys and channels that begin with {picoauth:, in a cluster
// CLUSTER SLOTS, and INFO only for the checks of Open. Errors and logs of this package never contain a password; the client
// library writes a few lines of its own to the standard error when it cannot connect (redis.SetLogger).
package redisstore
