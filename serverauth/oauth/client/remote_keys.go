package client

import "github.com/picoauth/picoauth/clientauth/verify"

// maxRemoteKeys is the maximum number of key sets that are cached.
const maxRemoteKeys = 1000

// remoteKeysID separates key sets that are fetched with different rules.
type remoteKeysID struct {
	uri       string
	operators bool
}

// remoteKeys returns the key set of a jwks_uri. It fetches nothing yet. Each is fetched and cached once for all clients that name it.
func (r *Registry) remoteKeys(uri string, source Source) (verify.KeySet, error) {
	id := remoteKeysID{uri, source.isOperators()}
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.remote[id]; ok {
		return known, nil
	}
	config := verify.RemoteKeySetConfig{URL: uri, Clock: r.now, Logger: r.log}
	if !id.operators {
		config.Client, config.InsecureAllowHTTP = r.fetcher.client, true // this HTTP client checks where http is allowed
	}
	made, err := verify.NewRemoteKeySet(config)
	if err != nil {
		return nil, err
	}
	if len(r.remote) >= maxRemoteKeys {
		clear(r.remote) // they are fetched again when needed
	}
	r.remote[id] = made
	return made, nil
}
