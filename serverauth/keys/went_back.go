package keys

import (
	"bytes"
	"slices"
)

// storeWentBack is the log event for a store that has lost records.
const storeWentBack = "store_went_back"

// noticeLoss compares the records with the earlier ones, and logs an error if one is older, or is missing although no process
// deletes it: a failover has lost a commit, or an older copy of the store was restored. The ring continues with the records that
// are in the store now, including secrets. The caller must hold busy.
func (r *Ring) noticeLoss(records []Record) {
	if sameRecords(r.known, records) {
		return
	}
	lost := r.lost(records)
	r.known = records
	if len(lost) > 0 {
		r.cfg.Logger.Error(storeWentBack, "event", storeWentBack, "store", "keys", "lost", lost,
			"do", "if an older copy was restored, repeat all revocations made since that copy, and mark the compromised keys again")
	}
}

// lost returns the ids of records that no process deletes and that are missing, or are older than before.
func (r *Ring) lost(records []Record) (ids []string) {
	was, is := r.schedule(r.known), r.schedule(records)
	for _, old := range r.known {
		i := slices.IndexFunc(records, func(r Record) bool { return r.ID == old.ID })
		if i < 0 && !was.mayGo(old.ID, is) || i >= 0 && isOlder(records[i], old) {
			ids = append(ids, old.ID)
		}
	}
	return ids
}

func (r *Ring) schedule(records []Record) *schedule {
	return newKeySet(&r.cfg, r.now(), records, nil).schedule()
}

// mayGo reports whether a process may have deleted the record: only keys that are not published any more, and spares of a previous
// algorithm, are deleted.
func (s *schedule) mayGo(id string, after *schedule) bool {
	k := s.find(id)
	switch {
	case k == nil: // a secret
		return false
	case k.isSpare():
		return after.signer != nil && after.last().Algorithm != k.record.Algorithm
	}
	return k.state == StateRemoved && k.record.CompromisedAt.IsZero()
}

// isOlder reports whether now is an earlier state of the record than old.
func isOlder(now, old Record) bool {
	if old.Kind == KindSecret {
		return !bytes.Equal(now.Private, old.Private)
	}
	return now.CompromisedAt.IsZero() && !old.CompromisedAt.IsZero() || now.CompromisedAt.IsZero() && now.ActivatesAt.IsZero() && !old.ActivatesAt.IsZero() ||
		len(now.Private) > 0 && len(old.Private) == 0 || now.TokenLifetime < old.TokenLifetime
}
