package redisstore

import (
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/serverauth"
)

// Module adds the URLs of Redis, Redis Sentinel and Redis Cluster to the storage URLs that serverauth.Module opens.
var Module fx.Option = serverauth.AsBackend(New)
