// Package redisstore keeps what serverauth must remember in Redis 6.2 or newer (or Valkey), for any number of processes:
//
//	app.New(serverauth.Module, redisstore.Module, …)  // storage_url: redis://user:password@host:6379/0
//
// The URL is redis:// or, for TLS, rediss://; or names Redis Sentinel or Redis Cluster, see below. Its parameters dial_timeout (1s), read_timeout and write_timeout (3s) and
// pool_timeout (1s) bound how long a call waits for a server that does not answer; pool_size (10 for each CPU) and
// min_idle_conns are about connections; ca_file names a PEM file of authorities to trust for TLS instead of the system's. Nothing is tried twice: a call whose answer was lost returns an error, and
// may have happened. When the server is back the next call succeeds, at the latest after a second.
//
// # What survives
//
// What a method has returned is in Redis, and how safe it is there is Redis's to say:
//
//   - appendonly yes, appendfsync always: it survives a crash of the machine.
//   - appendfsync everysec, the default of appendonly: it survives a crash of redis-server. A crash of the machine loses
//     the last second or two: sessions that began in them end, a logout or a revocation may be undone, and a nonce that
//     was spent may be spent again while it lives.
//   - snapshots only: the same for everything since the last snapshot.
//   - neither: a restart ends all sessions and, if the keys are there too, all tokens. Spent nonces stay spent: their key
//     is new after a restart. Keep revocations elsewhere then, unless the keys are in the same server.
//
// Replication is asynchronous: a failover can lose what the last moment wrote. Open warns of a server that has replicas or
// no append-only file, and refuses one that evicts keys when its memory is full: maxmemory-policy must be noeviction.
// A full server answers 429 to sign-ins and errors to the rest.
//
// # Forgetting
//
// Redis forgets by its own clock what has expired: sessions an access token's life after their refresh token, marks
// of ended subjects after two hours, spent nonces a minute and the clock skew after their expiry. Cleanup and
// Prune of those have nothing to remove. Revocations and mints are pruned.
//
// # Sentinel
//
// redis+sentinel://user:password@host:port,host:port/master?db=0 (or rediss+sentinel://) names some or all of the sentinels,
// and the master by the name that they know it by. The user and password are those of the master and its replicas;
// sentinel_username and sentinel_password are parameters for sentinels that want some. With TLS the sentinels and the servers each
// have a certificate for the address that they are reached by. When the master is gone calls fail until the
// sentinels have promoted a replica, then they succeed by themselves. What the replica had not received is lost: see above, and set
// min-replicas-to-write, so that a master that nobody follows any more takes nothing.
//
// # Cluster
//
// redis+cluster://user:password@host:port,host:port (or rediss+cluster://) names some or all of the nodes; with TLS each has a
// certificate for the address that the cluster gives it. A cluster is also recognised from one of its nodes behind redis://. Each kind of store has one hash tag, such as {picoauth:sessions}, so that
// all keys of a script are in one slot: ending a subject, its sessions and the mark that holds new ones off is one atomic
// step. The price is that a kind of store does not spread over nodes, only the six kinds among them; one node does some ten
// thousand such steps a second. Scripts also reach rows that KEYS does not name, in the same slot. Two deployments share a
// server by its databases, and cannot share a cluster.
//
// # Secrets
//
// Private keys are sealed with server_auth.key_encryption_key, without which the keys cannot be kept here. The key that
// makes nonces is not sealed: whoever can read the database can make nonces, which are worth nothing without a wallet's
// signature. Whoever can write to it can undo revocations. A user of its own needs keys and channels that begin with
// {picoauth:, in a cluster CLUSTER SLOTS, and INFO only for Open to look at the server. No error and no log of this package shows a password; the
// client's library writes a few lines of its own to the standard error when it cannot connect (redis.SetLogger).
package redisstore
