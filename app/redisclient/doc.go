// Package redisclient parses URLs of Redis, Redis Sentinel and Redis Cluster, connects to the servers, and makes calls that
// are never sent twice.
package redisclient

import "github.com/redis/go-redis/v9/logging"

// The log of the Redis library is turned off: it goes to standard error and repeats the errors that calls return. A program
// can turn it on with redis.SetLogger.
func init() { logging.Disable() }
