package verify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

var errNotDenylist = errors.New("the answer is not a denylist")

const (
	// revocationBatch is the number of items that are passed on together.
	revocationBatch = 256
	// maxRevocationBytes is the largest size of an item, or of another member of the reply.
	maxRevocationBytes = 1 << 20
	// maxRevocations is the largest number of items in all pages of a list together.
	maxRevocations = 10_000_000
)

// revocationPage has the members of a reply of /revoked-jtis other than its items.
type revocationPage struct {
	seq   *int64 // nil from an issuer that sends none
	next  string // position of the next page; empty on the last one, and from an issuer without pages
	items int    // number of items
}

// readRevocations decodes a reply of /revoked-jtis, {"items": [...], "seq": n, "next": "..."}, as a stream, and passes the
// items to apply in batches. A reply without items is an error, and so is an unreadable item, so that a broken reply is
// never taken for a shorter list. before is the number of items on earlier pages.
func readRevocations(body io.Reader, before int, apply func(...Revocation)) (page revocationPage, err error) {
	r := newRevocationReader(body, before, apply)
	if err := r.begin('{'); err != nil {
		return page, err
	}
	found := false
	for r.json.More() {
		r.grow()
		name, err := r.json.Token()
		if err == nil {
			r.grow()
			switch name {
			case "items":
				err, found = r.items(), true
			case "seq":
				page.seq, err = r.seq()
			case "next":
				page.next, err = r.next()
			default:
				err = r.json.Decode(new(json.RawMessage))
			}
		}
		if err != nil {
			return page, fmt.Errorf("%w: %w", errNotDenylist, err)
		}
	}
	if err := r.begin('}'); err != nil {
		return page, err
	}
	if !found {
		return page, fmt.Errorf("%w: it has no items", errNotDenylist)
	}
	page.items = r.count - before
	return page, nil
}

// revocationReader reads a reply with bounded memory: at most maxRevocationBytes for each member and item.
type revocationReader struct {
	body        io.Reader
	read, limit int64
	json        *json.Decoder
	apply       func(...Revocation)
	count       int // number of items, with those of earlier pages
}

func newRevocationReader(body io.Reader, before int, apply func(...Revocation)) *revocationReader {
	r := &revocationReader{body: body, limit: maxRevocationBytes, apply: apply, count: before}
	r.json = json.NewDecoder(r)
	r.json.UseNumber()
	return r
}

// Read implements io.Reader for the decoder.
func (r *revocationReader) Read(p []byte) (int, error) {
	if r.read >= r.limit {
		return 0, fmt.Errorf("after item %d come more than %d bytes", r.count, maxRevocationBytes)
	}
	n, err := r.body.Read(p[:min(int64(len(p)), r.limit-r.read)])
	r.read += int64(n)
	return n, err
}

// grow allows maxRevocationBytes more from the position of the decoder.
func (r *revocationReader) grow() { r.limit = r.json.InputOffset() + maxRevocationBytes }

func (r *revocationReader) begin(delimiter json.Delim) error {
	token, err := r.json.Token()
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", errNotDenylist, err)
	case token != delimiter:
		return errNotDenylist
	default:
		return nil
	}
}

// items reads the list; null is an empty one.
func (r *revocationReader) items() error {
	switch token, err := r.json.Token(); {
	case err != nil || token == nil:
		return err
	case token != json.Delim('['):
		return errors.New("items is not a list")
	}
	batch := make([]Revocation, 0, revocationBatch)
	for r.json.More() {
		if r.count == maxRevocations {
			return fmt.Errorf("it has more than %d items", maxRevocations)
		}
		r.grow()
		item, err := r.item()
		if err != nil {
			return fmt.Errorf("item %d: %w", r.count, err)
		}
		r.count++
		if batch = append(batch, item); len(batch) == cap(batch) {
			r.apply(batch...)
			batch = batch[:0]
		}
	}
	r.apply(batch...)
	_, err := r.json.Token()
	return err
}

// item reads the identifiers and times of an item. Other issuers send fractions of seconds and leave members out.
func (r *revocationReader) item() (Revocation, error) {
	var wire struct {
		JTI       string   `json:"jti"`
		SID       string   `json:"sid"`
		Sub       string   `json:"sub"`
		KID       string   `json:"kid"`
		RevokedAt *float64 `json:"revoked_at"`
		Exp       float64  `json:"exp"`
	}
	if err := r.json.Decode(&wire); err != nil {
		if wrong := new(json.UnmarshalTypeError); errors.As(err, &wrong) && wrong.Field != "" {
			return Revocation{}, fmt.Errorf("field %s cannot be a %s", wrong.Field, wrong.Value)
		}
		return Revocation{}, err
	}
	item := Revocation{JTI: wire.JTI, SID: wire.SID, Sub: wire.Sub, KID: wire.KID, Exp: int64(math.Ceil(inSeconds(wire.Exp)))}
	switch {
	case item.JTI == "" && item.SID == "" && item.Sub == "" && item.KID == "":
		return item, errors.New("it has none of the fields jti, sid, sub and kid")
	case wire.RevokedAt != nil:
		item.RevokedAt = int64(inSeconds(*wire.RevokedAt))
	case item.Sub != "":
		return item, errors.New("field revoked_at is missing, which an item with sub needs")
	}
	return item, nil
}

// inSeconds limits a number to the range of times that a [RevocationIndex] knows.
func inSeconds(n float64) float64 { return min(max(n, 0), math.MaxUint32) }

// seq reads the sequence number. It ignores one that is not an integer: lists are then read completely.
func (r *revocationReader) seq() (*int64, error) {
	var number *json.Number
	if err := r.json.Decode(&number); err != nil || number == nil {
		return nil, err
	}
	seq, err := strconv.ParseInt(number.String(), 10, 64)
	if err != nil {
		return nil, nil
	}
	return &seq, nil
}

// next reads the position of the next page, a string or a number.
func (r *revocationReader) next() (string, error) {
	token, err := r.json.Token()
	switch position := token.(type) {
	case nil:
		return "", err
	case string:
		return position, err
	case json.Number:
		return position.String(), err
	}
	return "", errors.New("next is neither a text nor a number")
}
