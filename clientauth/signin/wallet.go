package signin

import (
	"bytes"
	"crypto"
)

// Wallet signs challenges with a key in the format of POST /sign-in, for programs that make the requests themselves. A [Source]
// does not need one.
type Wallet struct{ key *key }

// NewWallet returns the wallet of a key; see [Config] for the signer and the algorithm. It returns an error if they do not fit.
func NewWallet(signer crypto.Signer, algorithm string) (*Wallet, error) {
	key, err := newKey(signer, algorithm)
	if err != nil {
		return nil, err
	}
	return &Wallet{key}, nil
}

// Algorithm returns the name of the wallet algorithm for requests.
func (w *Wallet) Algorithm() string { return w.key.algorithm }

// Address returns the address for POST /challenge.
func (w *Wallet) Address() string { return w.key.address }

// PublicKey returns the raw key; nil if a request needs none.
func (w *Wallet) PublicKey() []byte { return bytes.Clone(w.key.public) }

// Sign signs a challenge or its message. It returns the raw signature, which a request contains as hex.
func (w *Wallet) Sign(text []byte) ([]byte, error) { return w.key.sign(text) }
