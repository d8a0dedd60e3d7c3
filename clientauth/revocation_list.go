package clientauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

var errNotDenylist = errors.New("the answer is not a denylist")

// revocationBatch is how many items are decoded before they are handed on.
const revocationBatch = 256

// readRevocations decodes the answer of /revoked-jtis, {"items": [...], "seq": n}, as it comes, and hands the items on
// in batches. An answer without items is an error: nothing may pass for an empty list by accident. seq is nil when the
// issuer sends none. At most limit bytes are read.
func readRevocations(body io.Reader, limit int64, apply func(...Revocation)) (seq *int64, err error) {
	decoder := json.NewDecoder(io.LimitReader(body, limit))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, errors.Join(errNotDenylist, err)
	}
	found := false
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, errors.Join(errNotDenylist, err)
		}
		switch name {
		case "items":
			err, found = readItems(decoder, apply), true
		case "seq":
			err = decoder.Decode(&seq)
		default:
			err = decoder.Decode(new(json.RawMessage))
		}
		if err != nil {
			return nil, errors.Join(errNotDenylist, err)
		}
	}
	if token, err := decoder.Token(); err != nil || token != json.Delim('}') {
		return nil, errors.Join(errNotDenylist, err)
	}
	if !found {
		return nil, fmt.Errorf("%w: it has no items", errNotDenylist)
	}
	return seq, nil
}

// readItems reads the list; null is an empty one.
func readItems(decoder *json.Decoder, apply func(...Revocation)) error {
	switch token, err := decoder.Token(); {
	case err != nil || token == nil:
		return err
	case token != json.Delim('['):
		return errors.New("items is not a list")
	}
	batch := make([]Revocation, 0, revocationBatch)
	for decoder.More() {
		var item Revocation
		if err := decoder.Decode(&item); err != nil {
			return err
		}
		if batch = append(batch, item); len(batch) == cap(batch) {
			apply(batch...)
			batch = batch[:0]
		}
	}
	apply(batch...)
	_, err := decoder.Token()
	return err
}
