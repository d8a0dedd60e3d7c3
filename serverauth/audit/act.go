package audit

import (
	"github.com/go-json-experiment/json"

	"github.com/picoauth/picoauth/clientauth"
)

// Act is the claim act of a token as JSON: who acts for its subject, and who acted before (RFC 8693, section 4.1). It is empty
// for a token without an actor.
type Act string

// ActOf returns the record of a chain of actors; it is empty for nil.
func ActOf(chain *clientauth.Actor) (Act, error) {
	if chain == nil {
		return "", nil
	}
	text, err := json.Marshal(chain)
	return Act(text), err
}

// Chain returns the recorded chain of actors, or nil if there is none or the text is invalid.
func (a Act) Chain() (chain *clientauth.Actor) {
	if a == "" || json.Unmarshal([]byte(a), &chain) != nil {
		return nil
	}
	return chain
}
