package storetest

import (
	"slices"
	"time"

	"github.com/picoauth/picoauth/serverauth/keys"
)

// Each update counts one up; a lost one would be missing.
func keysExclusive(e keyEnv) {
	s := keyStore(e)
	handles := [2]keys.Store{s.store, e.open()}
	counter := secret("counter")
	counter.CreatedAt = time.Unix(0, 0).UTC()
	s.put(s.store, counter)
	const updaters, each = 6, 5
	race(updaters, func(i int) {
		for range each {
			err := handles[i%2].Update(background, func(records []keys.Record) ([]keys.Record, error) {
				records[0].CreatedAt = records[0].CreatedAt.Add(time.Second)
				return records, nil
			})
			if err != nil {
				e.Error(err)
			}
		}
	})
	counter.CreatedAt = time.Unix(updaters*each, 0).UTC()
	s.holds(handles[1], counter)
}

func keysWhole(e keyEnv) {
	s := keyStore(e)
	records := append(s.records("EdDSA"), secret("x"))
	s.put(s.store, records...)
	other := e.open()
	race(2, func(i int) {
		for n := range 20 {
			if i == 0 {
				err := s.store.Update(background, func(records []keys.Record) ([]keys.Record, error) {
					for k := range records {
						records[k].CreatedAt = records[k].CreatedAt.Add(time.Duration(n) * time.Second)
					}
					return records, nil
				})
				if err != nil {
					e.Error(err)
				}
				continue
			}
			found, err := other.Load(background)
			if err != nil || len(found) != len(records) {
				e.Errorf("%d records, %v", len(found), err)
			}
			for _, r := range found {
				if err := r.Validate(); err != nil {
					e.Error(err)
				}
			}
		}
	})
}

// Two processes that start at once on an empty store have the same keys and secrets.
func keysRings(e keyEnv) {
	handles := e.two()
	var secrets [2][]byte
	var kids [2]string
	race(2, func(i int) {
		config := keys.DefaultConfig()
		config.Algorithm = "EdDSA"
		ring, err := keys.Open(background, handles[i], config)
		if err != nil {
			e.Error(err)
			return
		}
		if secrets[i], err = ring.Secret(background, "storetest"); err != nil {
			e.Error(err)
		}
		if signer, err := ring.Signer(); err != nil {
			e.Error(err)
		} else {
			kids[i] = signer.KeyID
		}
	})
	if !slices.Equal(secrets[0], secrets[1]) || len(secrets[0]) != keys.SecretSize || kids[0] != kids[1] {
		e.Error("two processes have different keys")
	}
}
