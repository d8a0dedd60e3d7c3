package config

import (
	"fmt"
	"reflect"
	"strings"
)

// pythonSections and pythonKeys are sections and keys of the Python server that have another name or place here, with their
// replacement.
var (
	pythonSections = map[string]string{
		"auth":    "the auth server's section is server_auth",
		"fastapi": "host, port and other settings of the HTTP server are in the section app",
		"uvicorn": "host, port and other settings of the HTTP server are in the section app",
		"server":  "host, port and other settings of the HTTP server are in the section app",
		"logging": "the log is set with app.log_level and app.log_format",
	}
	pythonKeys = map[string]string{
		"server_auth.revocation_store_path":    "set server_auth.storage_url or server_auth.revocation_storage_url to store revocations",
		"server_auth.mint_audit_path":          "set server_auth.storage_url or server_auth.mint_storage_url to store the mint audit",
		"server_auth.mint_audit_max_in_memory": "remove this key; server_auth.mint_storage_url says where the mint audit is stored",
		"server_auth.host":                     "the key is app.host here",
		"server_auth.port":                     "the key is app.port here",
		"server_auth.log_level":                "the key is app.log_level here",
		"server_auth.cors_origins":             "the key is app.cors_origins here",
		"auth_client.log_level":                "the key is app.log_level here",
	}
)

// unknownKey returns the error for a key with the given name in a section that has only the known keys.
func unknownKey(key, name string, known []string) error {
	if now, moved := pythonKeys[key]; moved {
		return &Error{Key: key, Reason: "unknown key; " + now}
	}
	return &Error{Key: key, Reason: "unknown key" + didYouMean(name, known)}
}

// didYouMean suggests the known name that is most similar to the given one, if one is similar enough.
func didYouMean(name string, known []string) string {
	best, least := "", max(2, len(name)/4)+1
	for _, candidate := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(candidate), least); d < least {
			best, least = candidate, d
		}
	}
	if best == "" || least >= len(best) {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// longestHintedName is the maximum length, in bytes, of names that are compared.
const longestHintedName = 64

// distance returns the Levenshtein distance of two names in bytes, or limit if one is longer than longestHintedName.
func distance(a, b string, limit int) int {
	if len(a) > longestHintedName || len(b) > longestHintedName {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// settingsKeys returns the keys of a struct with koanf tags, those of nested structs joined by dots.
func settingsKeys(t reflect.Type) []string {
	var keys []string
	if t.Kind() != reflect.Struct {
		return nil
	}
	for key, field := range settingsFields(t) {
		if field.Type.Kind() != reflect.Struct {
			keys = append(keys, key)
			continue
		}
		for _, inner := range settingsKeys(field.Type) {
			keys = append(keys, joinKey(key, inner))
		}
	}
	return keys
}
