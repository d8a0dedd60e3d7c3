package app

import (
	"sync/atomic"

	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app/config"
)

// ConfigFile adds a YAML file. A later file overrides an earlier one. A file that does not exist is an error, unless path is
// exactly config.ConventionalFile.
func ConfigFile(path string) fx.Option {
	return configOption(func(sources *config.Sources) { sources.Files = append(sources.Files, path) })
}

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

// ConfigMap adds values that override files and environment. Keys are nested or joined by dots.
func ConfigMap(values map[string]any) fx.Option {
	return configOption(func(sources *config.Sources) { sources.Maps = append(sources.Maps, values) })
}

// ConfigDefaults adds defaults of the program, which files and environment override. Keys are nested or joined by dots.
func ConfigDefaults(values map[string]any) fx.Option {
	return configOption(func(sources *config.Sources) { sources.Defaults = append(sources.Defaults, values) })
}

// RegisterSection adds a section to the configuration, without checking its keys; see RegisterSettings. A module calls it for each
// section that it reads. Calling it twice is harmless.
func RegisterSection(name string) fx.Option {
	return configOption(func(sources *config.Sources) { sources.Sections = append(sources.Sections, name) })
}

// RegisterSettings adds a section with the settings of defaults, a struct as for Section. Its faults are found together with all
// other faults of the configuration, before anything is built, and SECTION__KEY_FILE works for each of its keys.
func RegisterSettings[T any](name string, defaults T) fx.Option {
	return configOption(func(sources *config.Sources) { config.AddSettings(sources, name, defaults) })
}

// configStep is one of the options above in an fx value group. fx does not keep the order of a group; the field order restores it.
type configStep struct {
	order uint64
	apply func(*config.Sources)
}

var configSteps atomic.Uint64

func configOption(apply func(*config.Sources)) fx.Option {
	step := configStep{order: configSteps.Add(1), apply: apply}
	return fx.Supply(fx.Annotate(step, fx.ResultTags(`group:"app_config"`)))
}
