package token

import (
	"encoding/json"
	"errors"
)

// Scalar is a number or a text in JSON, in its original form; empty: none.
type Scalar string

var errNotScalar = errors.New("neither a number nor a text")

// scalarOf converts a value of an app; nil: none.
func scalarOf(value any) (s Scalar, err error) {
	if value == nil {
		return "", nil
	}
	text, err := json.Marshal(value)
	if err != nil {
		return "", errNotScalar
	}
	return s, s.UnmarshalJSON(text)
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *Scalar) UnmarshalJSON(value []byte) error {
	switch c := value[0]; {
	case string(value) == "null", string(value) == `""`:
		return nil
	case c != '"' && c != '-' && (c < '0' || c > '9'):
		return errNotScalar
	}
	*s = Scalar(value)
	return nil
}

// MarshalJSON implements json.Marshaler.
func (s Scalar) MarshalJSON() ([]byte, error) {
	if s == "" {
		return []byte("null"), nil
	}
	return []byte(s), nil
}

// Text returns the number, or the text without quotes.
func (s Scalar) Text() string {
	var text string
	if json.Unmarshal([]byte(s), &text) == nil {
		return text
	}
	return string(s)
}
