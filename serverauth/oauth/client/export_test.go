package client

import (
	"net/netip"
)

// IsPublic is what decides which addresses documents are fetched from.
func IsPublic(addr netip.Addr) bool { return isPublic(addr) }

// ReadDocument makes a client of a metadata document.
func ReadDocument(id string, body []byte) (*Client, error) {
	registry, err := NewRegistry(RegistryConfig{})
	if err != nil {
		return nil, err
	}
	d := &documents{keys: func(made *Client, jwks []byte) (err error) { made.keys, err = registry.keysOf(made, jwks); return err }}
	return d.read(id, body)
}
