package app

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ConfigError says what is wrong with one configuration key. Its text never
// holds a value that may be a secret.
type ConfigError struct {
	// Key is the full key, such as "server_auth.challenge_ttl_seconds". A
	// section's Validate gives the part below the section; Section adds the rest.
	Key string
	// Reason completes the sentence that Key begins.
	Reason string
}

// Error implements error: "server_auth.issuer: must not be empty".
func (e *ConfigError) Error() string { return e.Key + ": " + e.Reason }

// CheckRange returns a *ConfigError unless least <= value <= most. It prints the
// value, so it is not for secrets.
func CheckRange[N cmp.Ordered](key string, value, least, most N) error {
	if value >= least && value <= most {
		return nil
	}
	return &ConfigError{Key: key, Reason: fmt.Sprintf("%v is not within %v to %v", value, least, most)}
}

// CheckOneOf returns a *ConfigError unless value is one of allowed. It prints
// the value, so it is not for secrets.
func CheckOneOf(key, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return &ConfigError{Key: key, Reason: fmt.Sprintf("%q is not one of %s", value, strings.Join(allowed, ", "))}
}

// CheckNotEmpty returns a *ConfigError when value is empty.
func CheckNotEmpty(key, value string) error {
	if value != "" {
		return nil
	}
	return &ConfigError{Key: key, Reason: "must not be empty"}
}

// qualify puts the section's name before the key of err, or of each error that
// errors.Join put into it, and before the text of any other error.
func qualify(section string, err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok && errors.Join(joined.Unwrap()...).Error() == err.Error() {
		var all []error
		for _, one := range joined.Unwrap() {
			all = append(all, qualify(section, one))
		}
		return errors.Join(all...)
	}
	if config, ok := err.(*ConfigError); ok { //nolint:errorlint // each part of a joined error is looked at on its own
		return &ConfigError{Key: section + "." + config.Key, Reason: config.Reason}
	}
	return fmt.Errorf("%s: %w", section, err)
}
