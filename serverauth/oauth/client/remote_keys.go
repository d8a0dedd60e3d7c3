package client

import (
	"log/slog"
	"net/http"
	"sync"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth/verify"
)

// maxRemoteKeys bounds how many key sets are kept.
const maxRemoteKeys = 1000

// remoteKeys are the key sets behind jwks_uris, each fetched and cached once for all clients that name it.
type remoteKeys struct {
	clock app.Clock
	log   *slog.Logger
	safe  *http.Client // for URIs that strangers choose

	mu   sync.Mutex
	sets map[remoteKeysID]*verify.RemoteKeySet
}

// remoteKeysID tells sets apart that are fetched by different rules.
type remoteKeysID struct {
	uri       string
	operators bool
}

// of returns the key set at a URI. It fetches nothing yet.
func (k *remoteKeys) of(uri string, source Source) (verify.KeySet, error) {
	id := remoteKeysID{uri, source.isOperators()}
	k.mu.Lock()
	defer k.mu.Unlock()
	if known, ok := k.sets[id]; ok {
		return known, nil
	}
	config := verify.RemoteKeySetConfig{URL: uri, Clock: k.clock, Logger: k.log}
	if !id.operators {
		config.Client, config.InsecureAllowHTTP = k.safe, true // it knows itself where http is allowed
	}
	made, err := verify.NewRemoteKeySet(config)
	if err != nil {
		return nil, err
	}
	if len(k.sets) >= maxRemoteKeys {
		clear(k.sets) // they are fetched anew when they are asked for
	}
	k.sets[id] = made
	return made, nil
}
