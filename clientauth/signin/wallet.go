package signin

import "bytes"

// Wallet signs challenges with a key in the format of POST /sign-in, for programs that make the requests themselves. A [Source]
// does not need one.
type Wallet struct {
	algorithm string
	address   string // for POST /challenge
	public    []byte // nil if the request needs none
	sign      func(text []byte) ([]byte, error)
}

// Algorithm returns the name of the wallet algorithm for requests.
func (w *Wallet) Algorithm() string { return w.algorithm }

// Address returns the address for POST /challenge.
func (w *Wallet) Address() string { return w.address }

// PublicKey returns the raw key; nil if a request needs none.
func (w *Wallet) PublicKey() []byte { return bytes.Clone(w.public) }

// Sign signs a challenge or its message. It returns the raw signature, which a request contains as hex.
func (w *Wallet) Sign(text []byte) ([]byte, error) { return w.sign(text) }
