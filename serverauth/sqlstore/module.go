package sqlstore

import (
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/serverauth/sqlstore/postgres"
	"github.com/picoauth/picoauth/serverauth/sqlstore/sqlite"
)

// Module adds the backends for sqlite:, postgres: and postgresql: URLs to an app that has serverauth.Module.
var Module fx.Option = fx.Options(sqlite.Module, postgres.Module)
