package sqlite

import (
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/serverauth"
)

// Module adds the backend for sqlite: URLs to an app that has serverauth.Module.
var Module fx.Option = serverauth.AsBackend(New)
