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
	return (&documents{registry: registry}).read(id, body)
}
