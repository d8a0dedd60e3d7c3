package keys

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// view is an immutable snapshot of a ring for signing, publishing and lookup. These read it from an atomic pointer, without a lock.
type view struct {
	*schedule
	records   []Record
	materials map[string]*material // by id; shared by successive views, so a key is decoded once and keeps its pointer
	signing   *Signer              // nil when no key can sign
	secrets   map[string][]byte    // by id; a secret that the store has lost stays until a new one is generated
	published map[string]*jose.Key
	ordered   []*jose.Key // the signer first, then as in the records
	documents documents
	readAt    time.Time // when the store was last read
}

// newView returns a view of records that were just read. It reuses decoded keys of previous, and returns [ErrInvalidRecord] for a
// key that cannot be decoded.
func newView(cfg *Config, records []Record, previous *view, now time.Time) (*view, error) {
	slices.SortFunc(records, func(a, b Record) int { return byAge(&a, &b) }) // every process publishes them in one order
	v := &view{records: records, readAt: now, materials: map[string]*material{}, secrets: map[string][]byte{}}
	maps.Copy(v.secrets, previous.secrets)
	for i := range records {
		if records[i].Kind == KindSecret {
			v.secrets[records[i].ID] = records[i].Private
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

// at returns a view of the same records at another time.
func (v *view) at(cfg *Config, now time.Time) *view {
	next := &view{records: v.records, materials: v.materials, secrets: v.secrets, readAt: v.readAt}
	next.arrange(cfg, now)
	return next
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
	for _, k := range v.statuses {
		if k != v.signer && k.state != StateRemoved {
			v.publish(k)
		}
	}
	v.documents = newDocuments(v.ordered, v.materials)
}

func (v *view) publish(k *keyStatus) {
	key := v.materials[k.record.ID].key
	v.published[key.ID] = key
	v.ordered = append(v.ordered, key)
}

// material returns the decoded key of a record, from the view if it is there; its private part may have been deleted since.
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
