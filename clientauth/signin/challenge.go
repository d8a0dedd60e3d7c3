package signin

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
)

// challenge is the reply of POST /challenge.
type challenge struct {
	Nonce   string `json:"challenge"`
	Message string `json:"message"` // contains the nonce; empty: the nonce alone is signed
}

const nonceSize = 32 // bytes, written as hex

var errForeignText = errors.New("signin: the text from the server is not a sign-in message for this key, so it is not signed")

// text returns the text to sign: the nonce, or a message with which this key signs in. Anything else is errForeignText: otherwise
// the operator of the server could make the program sign another text. With DPoP a message must name the proof key, so that the
// operator cannot pass on the message of another server and sign in there as the program.
func (c challenge) text(k *Wallet, proofs *proofKey) (string, error) {
	if raw, err := hex.DecodeString(c.Nonce); err != nil || len(raw) != nonceSize {
		return "", errForeignText
	}
	if c.Message == "" {
		return c.Nonce, nil
	}
	lines := strings.Split(c.Message, "\n")
	wanted := []string{"Nonce: " + c.Nonce}
	if proofs != nil {
		wanted = append(wanted, "- urn:ietf:params:oauth:jwk-thumbprint:sha-256:"+proofs.thumbprint)
	}
	isSignIn := strings.Contains(lines[0], " wants you to sign in with your ") && strings.HasSuffix(lines[0], " account:") &&
		len(lines) > 1 && strings.EqualFold(lines[1], k.address)
	for _, line := range wanted {
		isSignIn = isSignIn && slices.Contains(lines, line)
	}
	if !isSignIn {
		return "", errForeignText
	}
	return c.Message, nil
}
