package client

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
	"github.com/picoauth/picoauth/serverauth/internal/mac"
	"github.com/picoauth/picoauth/serverauth/store"
)

// record is the JSON that a store keeps of a client.
type record struct {
	Config                      // without a secret
	Source       Source         `json:"source"`
	SecretDigest []byte         `json:"secret_sha256,omitempty"`
	JWKS         jsontext.Value `json:"jwks,omitempty"`
}

// seal returns the row of a record with a MAC, so that somebody who can write to the database can remove clients, but not add any.
func (r *Registry) seal(c record, createdAt, until int64) (store.Client, error) {
	data, err := json.Marshal(c)
	row := store.Client{ID: c.ID, Data: data, CreatedAt: createdAt, Until: until}
	row.MAC = r.macOf(row)
	return row, err
}

func (r *Registry) macOf(row store.Client) [sha256.Size]byte {
	return r.rows.Of(mac.Fields{}.Texts(row.ID, string(row.Data)).Numbers(row.CreatedAt))
}

// open reads a row. It reports false for a forged one.
func (r *Registry) open(row store.Client, id string) (c record, ok bool) {
	sum := r.macOf(row)
	if row.ID != id || !hmac.Equal(sum[:], row.MAC[:]) || json.Unmarshal(row.Data, &c) != nil {
		return record{}, false
	}
	return c, c.ID == id
}

// client returns the client of a record.
func (r *Registry) client(c record) (*Client, error) {
	made := c.Config.client(c.Source)
	if c.Source == Registered && c.Name == "" {
		made.Name = made.Host(c.RedirectURIs[0])
	}
	if len(c.SecretDigest) == sha256.Size {
		made.secret = digestSecret([sha256.Size]byte(c.SecretDigest))
	}
	keys, err := r.keysOf(made, c.JWKS)
	made.keys = keys
	return made, err
}

// keysOf returns the keys for private_key_jwt, or nil for a client without keys.
func (r *Registry) keysOf(c *Client, jwks jsontext.Value) (verify.KeySet, error) {
	switch {
	case len(jwks) > 0:
		return parseKeys(jwks)
	case c.JWKSURI != "":
		return r.remoteKeys(c.JWKSURI, c.Source)
	default:
		return nil, nil
	}
}

// parseKeys reads a JWKS. A set without a usable key is an error.
func parseKeys(jwks []byte) (*verify.KeyMap, error) {
	keys, skipped, err := jose.ParseSet(jwks)
	if err == nil && len(keys) == 0 {
		err = fmt.Errorf("no key can be used: %v", skipped)
	}
	return verify.NewKeyMap(keys...), err
}
