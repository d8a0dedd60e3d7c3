package app

import "go.uber.org/fx"

// ConfigFlag adds the file that a program's --config flag names, which must exist.
// For an empty value, no flag, it adds ConventionalConfigFile, which need not.
func ConfigFlag(value string) fx.Option {
	switch value {
	case "":
		return ConfigFile(ConventionalConfigFile)
	case ConventionalConfigFile:
		return ConfigFile("./" + ConventionalConfigFile)
	default:
		return ConfigFile(value)
	}
}
