package app

import (
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app/config"
)

// ConfigFlag adds the file that a program's flag --config names, which must exist. For an empty value it adds
// config.ConventionalFile, which need not exist.
func ConfigFlag(value string) fx.Option {
	switch value {
	case "":
		return ConfigFile(config.ConventionalFile)
	case config.ConventionalFile:
		return ConfigFile("./" + config.ConventionalFile)
	default:
		return ConfigFile(value)
	}
}
