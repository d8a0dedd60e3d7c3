package redisstore

import (
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/serverauth"
)

// Module adds redis: and rediss: to the storage URLs that serverauth.Module opens.
var Module fx.Option = serverauth.AsBackend(New)
