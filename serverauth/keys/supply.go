package keys

import (
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
)

// supply gives an edit the keys that it asks for, from a stock of keys that were made before.
type supply struct {
	stock   []Record
	missing []string
}

// take hands out a key of the stock, or makes one.
func (s *supply) take(algorithm string) (Record, error) {
	for i, r := range s.stock {
		if r.Algorithm == algorithm {
			s.stock = slices.Delete(s.stock, i, i+1)
			return r, nil
		}
	}
	return generate(algorithm)
}

// pretend is take for an edit whose result is not kept: it notes what would have to be made.
func (s *supply) pretend(algorithm string) (Record, error) {
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

// generateAll makes keys of the algorithms, side by side.
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
