package audit

import (
	"github.com/go-json-experiment/json"

	"github.com/picoauth/picoauth/clientauth"
)

// Act is the claim act of a token as JSON: who acts for its subject, and who acted before (RFC 8693, section 4.1). It is empty
// for a token by which nobody acts for another.
type Act string

// ActOf returns what is recorded of a chain; nil is none.
func ActOf(chain *clientauth.Actor) (Act, error) {
	if chain == nil {
		return "", nil
	}
	text, err := json.Marshal(chain)
	return Act(text), err
}

// Chain is the chain that was recorded, or nil. What cannot be read, which no process of ours has written, is none.
func (a Act) Chain() (chain *clientauth.Actor) {
	if a == "" || json.Unmarshal([]byte(a), &chain) != nil {
		return nil
	}
	return chain
}
