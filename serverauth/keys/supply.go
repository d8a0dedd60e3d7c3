package keys

import (
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
)

// supply provides generated keys to an edit.
type supply struct {
	stock   []Record
	missing []string
}

// take returns a key that was generated before, or generates one.
func (s *supply) take(algorithm string) (Record, error) {
	for i, r := range s.stock {
		if r.Algorithm == algorithm {
			s.stock = slices.Delete(s.stock, i, i+1)
			return r, nil
		}
	}
	return generate(algorithm)
}

// plan takes the place of take in an edit whose result is not written: it records which keys have to be generated.
func (s *supply) plan(algorithm string) (Record, error) {
	for i, r := range s.stock {
		if r.Algorithm == algorithm {
			s.stock = slices.Delete(s.stock, i, i+1)
			return r, nil
		}
	}
	s.missing = append(s.missing, algorithm)
	id := fmt.Sprintf("missing %d", len(s.missing))
	return Record{ID: id, Kind: KindKey, Algorithm: algorithm, Private: []byte{0}}, nil
}

// generateAll generates keys for the algorithms concurrently.
func generateAll(algorithms []string) ([]Record, error) {
	records := make([]Record, len(algorithms))
	var group errgroup.Group
	for i, algorithm := range algorithms {
		group.Go(func() (err error) {
			records[i], err = generate(algorithm)
			return err
		})
	}
	return records, group.Wait()
}
