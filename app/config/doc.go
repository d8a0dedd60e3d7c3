// Package config reads the configuration of an application: YAML files, the environment and maps, in sections that are structs with
// koanf tags.
//
// A module describes its section with such a struct, its defaults and a method Validate, which uses the Check functions. [Load]
// reads all sources and finds all faults at once: each is an [Error] with the key, what came, what is wanted, and the file and
// line or the variable that it comes from. No fault contains the value of a secret. [Section] returns the settings of a section,
// and [Describe] lists every setting with its source.
//
// An application made by app.New calls Load itself; its modules call app.RegisterSettings.
package config
