package app

import (
	"sync/atomic"

	"go.uber.org/fx"
)

// ConfigFile adds a YAML file. A later file wins over an earlier one. A file that
// does not exist is an error, unless path is exactly ConventionalConfigFile.
func ConfigFile(path string) fx.Option {
	return configOption(func(sources *ConfigSources) { sources.Files = append(sources.Files, path) })
}

// ConfigMap adds values that win over file and environment. Keys are nested or
// joined by dots.
func ConfigMap(values map[string]any) fx.Option {
	return configOption(func(sources *ConfigSources) { sources.Maps = append(sources.Maps, values) })
}

// ConfigDefaults adds a program's own defaults, below file and environment. Keys
// are nested or joined by dots.
func ConfigDefaults(values map[string]any) fx.Option {
	return configOption(func(sources *ConfigSources) { sources.Defaults = append(sources.Defaults, values) })
}

// RegisterSection makes name a section that may be configured. A module does this
// for each section that it reads; doing so twice is harmless.
func RegisterSection(name string) fx.Option {
	return configOption(func(sources *ConfigSources) { sources.Sections = append(sources.Sections, name) })
}

// configStep is one of the options above on its way through an fx value group,
// which shuffles: order brings the steps back into the order they were written in.
type configStep struct {
	order uint64
	apply func(*ConfigSources)
}

var configSteps atomic.Uint64

func configOption(apply func(*ConfigSources)) fx.Option {
	step := configStep{order: configSteps.Add(1), apply: apply}
	return fx.Supply(fx.Annotate(step, fx.ResultTags(`group:"app_config"`)))
}
