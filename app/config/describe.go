package config

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/knadh/koanf/v2"
)

// Value describes one setting of a configuration for people.
type Value struct {
	// Key is the full key, such as "server_auth.subjects[0].role".
	Key string `json:"key"`
	// Variable is the environment variable that sets it; empty for an item of a list or of a map.
	Variable string `json:"variable,omitempty"`
	// Form is the kind of value, such as "text", "true or false", "whole number of seconds" or "list of text".
	Form string `json:"form"`
	// Value is the effective value. A secret is "(hidden)", after the scheme if it is a URL, or empty if it is not set.
	Value string `json:"value"`
	// Source is where the value comes from; empty: the default.
	Source string `json:"source,omitempty"`
}

const hiddenValue = "(hidden)"

// AddSettings adds a section to the sources, as app.RegisterSettings does.
func AddSettings[T any](sources *Sources, name string, defaults T) {
	sources.Sections = append(sources.Sections, name)
	sources.settings = append(sources.settings, sectionSettings{
		name: name,
		keys: settingsKeys(reflect.TypeFor[T]()),
		decode: func(k *koanf.Koanf, validate bool) (any, error) {
			return decodeSection(k, name, defaults, validate)
		},
	})
}

// Describe returns every setting of the sections that were added by AddSettings, in the order of their fields. warnings are
// about settings without effect. The error joins all faults, like that of Load.
func Describe(sources Sources) (values []Value, warnings []Warning, err error) {
	l := newLoader(sources)
	err = l.load(sources)
	if err != nil {
		return nil, l.warnings, err
	}
	d := describer{loader: l}
	for _, settings := range l.settings {
		decoded, fault := settings.decode(l.koanf, false)
		err = errors.Join(err, fault)
		d.describe(settings.name, reflect.ValueOf(decoded), true)
	}
	return d.values, l.warnings, err
}

type describer struct {
	loader *loader
	values []Value
}

// describe adds the settings below key. variable says whether they have environment variables.
func (d *describer) describe(key string, value reflect.Value, variable bool) {
	switch {
	case value.Kind() == reflect.Struct:
		for name, field := range settingsFields(value.Type()) {
			d.describe(joinKey(key, name), value.FieldByIndex(field.Index), variable)
		}
	case value.Kind() == reflect.Slice && value.Type().Elem().Kind() == reflect.Struct:
		if value.Len() == 0 {
			d.add(key, "", "list of sections", false)
		}
		for i := range value.Len() {
			d.describe(fmt.Sprintf("%s[%d]", key, i), value.Index(i), false)
		}
	case value.Kind() == reflect.Map:
		if value.Len() == 0 && variable {
			d.add(key, "", formOf(key, value.Type()), false)
		}
		for _, name := range value.MapKeys() {
			d.describe(joinKey(key, name.String()), value.MapIndex(name), false)
		}
	default:
		d.add(key, valueText(value), formOf(key, value.Type()), variable)
	}
}

func (d *describer) add(key, text, form string, variable bool) {
	described := Value{Key: key, Form: form, Value: text, Source: d.loader.originOf(key).source}
	if described.Source == defaultsSource {
		described.Source = ""
	}
	if variable {
		described.Variable = variableOf(key)
	}
	if isSecretKey(key) && text != "" {
		described.Value = hiddenValue
		if scheme, _, isURL := strings.Cut(text, ":"); isURL && strings.HasSuffix(key, "_url") {
			described.Value = scheme + ":" + hiddenValue
		}
	}
	d.values = append(d.values, described)
}

func valueText(value reflect.Value) string {
	if value.Kind() == reflect.Interface {
		value = value.Elem()
	}
	switch {
	case !value.IsValid():
		return ""
	case value.Kind() != reflect.Slice:
		return fmt.Sprint(value.Interface())
	}
	items := make([]string, value.Len())
	for i := range items {
		items[i] = fmt.Sprint(value.Index(i).Interface())
	}
	return strings.Join(items, ", ")
}

// formOf returns the kind of value of a setting, for people.
func formOf(key string, t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "whole number" + unitOf(key, " of ")
	case reflect.Float32, reflect.Float64:
		return "number" + unitOf(key, " of ")
	case reflect.Slice:
		return "list of " + cmp.Or(formOf("", t.Elem()), "values")
	case reflect.Map:
		return "section of keys"
	default:
		return "text"
	}
}
