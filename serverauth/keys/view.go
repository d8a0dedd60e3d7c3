package keys

import (
	"bytes"
	"slices"
	"time"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// view is everything that a ring answers from, prepared once for each state of its keys and immutable: the hot paths
// take it from an atomic pointer and hold no lock.
type view struct {
	*schedule
	records   []Record
	materials map[string]*material // by id; shared by successive views, so a key is decoded once and keeps its pointer
	signing   *Signer              // nil when no key can sign
	published map[string]*jose.Key
	ordered   []*jose.Key // the signer first, then as in the records
	documents documents
	readAt    time.Time // when the store was last read
}

// newView prepares a view of records read now. It takes the decoded keys of previous where they are the same, and
// returns [ErrInvalidRecord] for a key that cannot be decoded.
func newView(cfg *Config, records []Record, previous *view, now time.Time) (*view, error) {
	slices.SortFunc(records, func(a, b Record) int { return byAge(&a, &b) }) // every process publishes them in one order
	v := &view{records: records, readAt: now, materials: map[string]*material{}}
	for i := range records {
		if records[i].Kind != KindKey {
			continue
		}
		m, err := previous.material(&records[i])
		if err != nil {
			return nil, err
		}
		v.materials[records[i].ID] = m
	}
	v.arrange(cfg, now)
	return v, nil
}

// at is the same records at another time.
func (v *view) at(cfg *Config, now time.Time) *view {
	next := &view{records: v.records, materials: v.materials, readAt: v.readAt}
	next.arrange(cfg, now)
	return next
}

// readAgain is the same view, confirmed by a later reading of the store.
func (v *view) readAgain(at time.Time) *view {
	next := *v
	next.readAt = at
	return &next
}

func (v *view) arrange(cfg *Config, now time.Time) {
	records := make([]*Record, len(v.records))
	for i := range records {
		records[i] = &v.records[i]
	}
	v.schedule = cfg.scheduleAt(records, now)
	v.published = map[string]*jose.Key{}
	if v.signer != nil {
		v.signing = newSigner(v.signer.record, v.materials[v.signer.record.ID], cfg.Clock)
		v.publish(v.signer)
	}
	for i := range v.standings {
		if k := &v.standings[i]; k != v.signer && k.state != StateRemoved {
			v.publish(k)
		}
	}
	v.documents = newDocuments(v.ordered, v.materials)
}

func (v *view) publish(k *standing) {
	key := v.materials[k.record.ID].key
	v.published[key.ID] = key
	v.ordered = append(v.ordered, key)
}

// material returns the decoded key of a record, from the view where it has it; its private part may be gone since.
func (v *view) material(r *Record) (*material, error) {
	m, found := v.materials[r.ID]
	switch {
	case !found || !bytes.Equal(m.jwk, r.Public):
		return newMaterial(*r)
	case len(r.Private) == 0 && m.private != nil:
		return m.withoutPrivate(), nil
	case len(r.Private) > 0 && m.private == nil:
		return newMaterial(*r)
	}
	return m, nil
}
