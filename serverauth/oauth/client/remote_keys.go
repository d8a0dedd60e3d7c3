package client

import (
	"log/slog"
	"net/http"
	"sync"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth/verify"
)

// maxRemoteKeys is the maximum number of key sets that are cached.
const maxRemoteKeys = 1000

// remoteKeys has the key sets of jwks_uris. Each is fetched and cached once for all clients that name it.
type remoteKeys struct {
	clock app.Clock
	log   *slog.Logger
	safe  *http.Client // for URIs of clients that describe themselves

	mu   sync.Mutex
	sets map[remoteKeysID]*verify.RemoteKeySet
}

// remoteKeysID separates key sets that are fetched with different rules.
type remoteKeysID struct {
	uri       string
	operators bool
}

// of returns the key set of a URI. It fetches nothing yet.
func (k *remoteKeys) of(uri string, source Source) (verify.KeySet, error) {
	id := remoteKeysID{uri, source.isOperators()}
	k.mu.Lock()
	defer k.mu.Unlock()
	if known, ok := k.sets[id]; ok {
		return known, nil
	}
	config := verify.RemoteKeySetConfig{URL: uri, Clock: k.clock, Logger: k.log}
	if !id.operators {
		config.Client, config.InsecureAllowHTTP = k.safe, true // this HTTP client checks where http is allowed
	}
	made, err := verify.NewRemoteKeySet(config)
	if err != nil {
		return nil, err
	}
	if len(k.sets) >= maxRemoteKeys {
		clear(k.sets) // they are fetched again when needed
	}
	k.sets[id] = made
	return made, nil
}
