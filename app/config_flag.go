package app

import "go.uber.org/fx"

// ConfigFlag adds the file that a program's flag --config names, which must exist. For an empty value it adds
// ConventionalConfigFile, which need not exist.
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
