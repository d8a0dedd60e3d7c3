package jose

import (
	"encoding/json"
	"fmt"
)

// Limits of a key set.
const (
	// MaxSetBytes is the maximum size of a JWKS document in bytes.
	MaxSetBytes = 1 << 20
	// MaxSetKeys is the maximum number of keys in one set.
	MaxSetKeys = 100
)

// Set is a JWKS document. It can be marshaled with keys of every type of this package; to parse one, use [ParseSet].
type Set struct {
	Keys []Key `json:"keys"`
}

// ParseSet parses a JWKS document (RFC 7517 section 5). Keys are parsed one by one: a key that is broken, of an
// unknown type or not for signatures is added to skipped with its reason and does not affect the others. The error is
// for the document: [ErrTooLarge] above 1 MiB or 100 keys, [ErrMalformed] if it is not an object with a list of keys.
func ParseSet(data []byte) (keys []Key, skipped []error, err error) {
	if len(data) > MaxSetBytes {
		return nil, nil, fmt.Errorf("%w: a key set has at most %d bytes", ErrTooLarge, MaxSetBytes)
	}
	var document struct {
		Keys *[]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &document); err != nil || document.Keys == nil {
		return nil, nil, fmt.Errorf("%w: not a JSON Web Key Set", ErrMalformed)
	}
	if n := len(*document.Keys); n > MaxSetKeys {
		return nil, nil, fmt.Errorf("%w: a key set has at most %d keys, not %d", ErrTooLarge, MaxSetKeys, n)
	}
	for i, raw := range *document.Keys {
		var key Key
		if err := key.UnmarshalJSON(raw); err != nil {
			skipped = append(skipped, fmt.Errorf("key %d: %w", i, err))
			continue
		}
		keys = append(keys, key)
	}
	return keys, skipped, nil
}
