package config

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Error is a fault of one configuration key. Its text never contains the value of a secret.
type Error struct {
	// Key is the full key, such as "server_auth.challenge_ttl_seconds". A section's Validate sets the part after the section;
	// Section adds the rest.
	Key string
	// Reason completes the sentence that Key begins.
	Reason string
	// Source is where the value comes from: a file and its line, an environment variable, or an option in the code. It is empty if
	// that is unknown or no value was given.
	Source string
}

// Error implements error: "server_auth.issuer: must not be empty (application.yaml:3)".
func (e *Error) Error() string {
	text := e.Key + ": " + e.Reason
	if e.Source != "" {
		text += " (" + e.Source + ")"
	}
	return text
}

// CheckRange returns an *Error unless least <= value <= most. The error contains the value, so do not use it for secrets.
func CheckRange[N cmp.Ordered](key string, value, least, most N) error {
	if value >= least && value <= most {
		return nil
	}
	return &Error{Key: key, Reason: fmt.Sprintf("%v is not within %v to %v%s", value, least, most, unitOf(key, " "))}
}

// CheckOneOf returns an *Error unless value is one of allowed. The error contains the value, so do not use it for secrets.
func CheckOneOf(key, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return &Error{Key: key, Reason: fmt.Sprintf("%q is not one of %s%s", value, strings.Join(allowed, ", "), didYouMean(value, allowed))}
}

// CheckNotEmpty returns an *Error if value is empty.
func CheckNotEmpty(key, value string) error {
	if value != "" {
		return nil
	}
	return &Error{Key: key, Reason: "must not be empty"}
}

// CheckOneValue returns an *Error if value contains a comma: a list in a key for one text would match nothing.
func CheckOneValue(key, value string) error {
	if !strings.Contains(value, ",") {
		return nil
	}
	return &Error{Key: key, Reason: fmt.Sprintf("%q is a list; this key takes one value", WithoutUserinfo(value))}
}

// CheckSecret returns an *Error for a secret that is set and has fewer than least characters. The error does not contain the
// secret.
func CheckSecret(key, value string, least int) error {
	if length := len([]rune(value)); length > 0 && length < least {
		return &Error{Key: key, Reason: fmt.Sprintf("is too short to be a secret: it has %d characters and needs at least %d", length, least)}
	}
	return nil
}

// CheckTexts returns an *Error for each text in settings, a struct with koanf tags, that has white space or quotes around it
// or contains a control character, for each empty item of a list, and for each secret that is a placeholder such as $(SECRET).
// Such a text matches nothing, and comes from a mistake in a file or a shell. The errors name the keys with the prefix. The keys
// in except are not checked.
func CheckTexts(prefix string, settings any, except ...string) error {
	var faults []error
	value := reflect.ValueOf(settings)
	for key, one := range settingsFields(value.Type()) {
		if slices.Contains(except, key) {
			continue
		}
		switch field := value.FieldByIndex(one.Index); {
		case field.Kind() == reflect.String:
			faults = append(faults, checkText(prefix+key, field.String()))
		case field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.String:
			for item := range field.Len() {
				name, text := fmt.Sprintf("%s%s[%d]", prefix, key, item), field.Index(item).String()
				faults = append(faults, CheckNotEmpty(name, text), checkText(name, text))
			}
		}
	}
	return errors.Join(faults...)
}

func checkText(key, text string) error {
	var reason string
	switch {
	case strings.ContainsFunc(text, unicode.IsControl):
		reason = "has a line break or another control character"
	case strings.TrimFunc(text, isBlank) != text:
		reason = "has white space around it"
	case isSecretKey(key) && placeholder.MatchString(text):
		reason = "is a placeholder that nothing has replaced"
	case len(text) > 1 && text[0] == text[len(text)-1] && (text[0] == '"' || text[0] == '\''):
		reason = "has quotes around it"
	default:
		return nil
	}
	return &Error{Key: key, Reason: reason + Shown(": ", key, text)}
}

// isBlank also reports the byte order mark, with which some editors begin a file, and the zero-width space.
func isBlank(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' || r == '\u200b' }

// placeholder matches what stays in the place of a secret if a tool does not fill it in: Kubernetes, a shell, Helm, Windows, and
// the text of an example.
var placeholder = regexp.MustCompile(`^(\$\(.*\)|\$[A-Z_][A-Z0-9_]*|\{\{.*\}\}|%[A-Z_][A-Z0-9_]*%|<[^<>]*>)$`)

// longestShownValue is the maximum length, in bytes, of a value in an error.
const longestShownValue = 64

// Shown returns the separator and the value for an error, or "" if the value may be a secret or is no text, number or boolean.
func Shown(separator, key string, value any) string {
	source := reflect.ValueOf(value)
	switch {
	case isSecretKey(key):
		return ""
	case source.Kind() == reflect.String:
		text := WithoutUserinfo(source.String())
		if len(text) > longestShownValue {
			text = text[:longestShownValue] + "…"
		}
		return separator + strconv.Quote(text)
	case source.Kind() == reflect.Bool || source.CanInt() || source.CanUint() || source.CanFloat():
		return separator + fmt.Sprint(value)
	}
	return ""
}

// WithoutUserinfo hides the userinfo of a URL (RFC 3986), which may contain a password. It accepts any text, because a value in an
// error may be no valid URL: "user:password@host" and "https:/user:password@host" are hidden too.
func WithoutUserinfo(text string) string {
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return text
	}
	if scheme, _, found := strings.Cut(text[:at], "//"); found {
		return scheme + "//…" + text[at:]
	}
	if strings.Contains(text[:at], ":") {
		return "…" + text[at:]
	}
	return text
}

// isSecretKey decides by the name of the key, so that no key is forgotten. A storage URL may contain a password, and the URL of a
// JSON-RPC endpoint an API key.
func isSecretKey(key string) bool {
	name := key[strings.LastIndex(key, keyDelimiter)+1:]
	for _, word := range []string{"secret", "password", "passphrase", "bearer", "credential", "encryption_key", "private_key", "api_key", "storage_url", "rpc_url"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return name == "token" || strings.HasSuffix(name, "_token")
}

// unitOf returns the separator and the unit in the name of a key; "" for none.
func unitOf(key, separator string) string {
	for _, unit := range []string{"seconds", "minutes", "days", "bytes"} {
		if strings.HasSuffix(key, "_"+unit) {
			return separator + unit
		}
	}
	return ""
}

// qualify adds the section's name to the key of err, or of each error joined in it, and to the text of any other error.
func qualify(section string, err error) error {
	all := Faults(err)
	for i, one := range all {
		if config, ok := one.(*Error); ok { //nolint:errorlint // each part of a joined error is looked at on its own
			all[i] = &Error{Key: section + keyDelimiter + config.Key, Reason: config.Reason, Source: config.Source}
		} else {
			all[i] = fmt.Errorf("%s: %w", section, one)
		}
	}
	return errors.Join(all...)
}
