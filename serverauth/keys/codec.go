package keys

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	strict "github.com/go-json-experiment/json"
)

// MaxRecordBytes is the maximum size of an encoded record.
const MaxRecordBytes = 64 << 10

const recordVersion = 1

// envelope is an encoded record with either Private or Sealed. The checksum distinguishes a damaged record from one that was
// encrypted with another key; it is no protection against changes.
type envelope struct {
	Record  json.RawMessage `json:"record"`
	Private *[]byte         `json:"private,omitempty"`
	Sealed  *[]byte         `json:"sealed,omitempty"`
	Sum     string          `json:"sha256"`
}

// metadata is everything of a record except its private part. It is the additional authenticated data of the encryption, so a
// change without the encryption key is detected.
type metadata struct {
	Version       int             `json:"version"`
	ID            string          `json:"kid"`
	Kind          Kind            `json:"kind"`
	Algorithm     string          `json:"alg,omitempty"`
	CreatedAt     time.Time       `json:"created_at"`
	ActivatesAt   time.Time       `json:"activates_at,omitzero"`
	CompromisedAt time.Time       `json:"compromised_at,omitzero"`
	TokenSeconds  int64           `json:"token_seconds,omitempty"`
	Public        json.RawMessage `json:"public,omitempty"`
}

// EncodeRecord encodes a record as one line of JSON. Its private part is encrypted with AES-256-GCM, or plain if key is nil. The
// metadata is never encrypted; with a key it is authenticated, also for a record without a private part. A store writes the result
// unchanged, to a file or a column.
func EncodeRecord(r Record, key *EncryptionKey) ([]byte, error) {
	meta, err := json.Marshal(metadata{
		Version: recordVersion, ID: r.ID, Kind: r.Kind, Algorithm: r.Algorithm, CreatedAt: r.CreatedAt.UTC(),
		ActivatesAt: r.ActivatesAt.UTC(), CompromisedAt: r.CompromisedAt.UTC(),
		TokenSeconds: int64(r.TokenLifetime / time.Second), Public: r.Public,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrInvalidRecord, r.ID, err)
	}
	e := envelope{Record: meta}
	if key == nil {
		e.Private = &r.Private
		if r.Private == nil {
			e.Private = &[]byte{}
		}
	} else {
		sealed := key.seal(r.Private, meta)
		e.Sealed = &sealed
	}
	e.Sum = e.sum()
	return json.Marshal(e)
}

// DecodeRecord decodes the result of [EncodeRecord] with the same key. It returns [ErrCorrupt] for damaged data, and
// [ErrKeyRequired], [ErrNotEncrypted], [ErrWrongKey] or [ErrNewerFormat] for an undamaged record that cannot be decoded.
func DecodeRecord(data []byte, key *EncryptionKey) (Record, error) {
	e, err := readEnvelope(data)
	if err != nil {
		return Record{}, err
	}
	var version struct{ Version int }
	if err := json.Unmarshal(e.Record, &version); err != nil {
		return Record{}, fmt.Errorf("%w: not a record", ErrCorrupt)
	}
	if version.Version > recordVersion {
		return Record{}, fmt.Errorf("%w: format %d", ErrNewerFormat, version.Version)
	}
	private, err := e.private(key)
	if err != nil {
		return Record{}, err
	}
	r, err := readMetadata(e.Record)
	if err != nil {
		return Record{}, err
	}
	if len(private) > 0 {
		r.Private = private
	}
	if err := r.Validate(); err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return r, nil
}

func readEnvelope(data []byte) (envelope, error) {
	if len(data) > MaxRecordBytes {
		return envelope{}, fmt.Errorf("%w: more than %d bytes", ErrCorrupt, MaxRecordBytes)
	}
	var e envelope
	if err := strict.Unmarshal(data, &e, strict.RejectUnknownMembers(true)); err != nil {
		return envelope{}, fmt.Errorf("%w: not the JSON of a record", ErrCorrupt) // the library's error may quote the text
	}
	if (e.Private == nil) == (e.Sealed == nil) {
		return envelope{}, fmt.Errorf("%w: it must have either private or sealed", ErrCorrupt)
	}
	if e.Sum != e.sum() {
		return envelope{}, fmt.Errorf("%w: wrong checksum", ErrCorrupt)
	}
	return e, nil
}

func readMetadata(data []byte) (Record, error) {
	var m metadata
	if err := strict.Unmarshal(data, &m, strict.RejectUnknownMembers(true)); err != nil {
		return Record{}, fmt.Errorf("%w: invalid metadata", ErrCorrupt)
	}
	const longest = int64(1<<63-1) / int64(time.Second)
	if m.Version != recordVersion || m.TokenSeconds < 0 || m.TokenSeconds > longest {
		return Record{}, fmt.Errorf("%w: invalid metadata", ErrCorrupt)
	}
	return Record{
		ID: m.ID, Kind: m.Kind, Algorithm: m.Algorithm, CreatedAt: m.CreatedAt.UTC(), ActivatesAt: m.ActivatesAt.UTC(),
		CompromisedAt: m.CompromisedAt.UTC(), TokenLifetime: time.Duration(m.TokenSeconds) * time.Second, Public: m.Public,
	}, nil
}

// private returns the private part, decrypted if it is encrypted.
func (e envelope) private(key *EncryptionKey) ([]byte, error) {
	switch {
	case e.Sealed == nil && key == nil:
		return *e.Private, nil
	case e.Sealed == nil:
		return nil, ErrNotEncrypted
	case key == nil:
		return nil, ErrKeyRequired
	}
	return key.open(*e.Sealed, e.Record)
}

// sum returns the SHA-256 of all other fields, in hex.
func (e envelope) sum() string {
	h := sha256.New()
	h.Write(e.Record)
	if e.Sealed != nil {
		h.Write([]byte("\nsealed\n"))
		h.Write(*e.Sealed)
	} else {
		h.Write([]byte("\nprivate\n"))
		h.Write(*e.Private)
	}
	return hex.EncodeToString(h.Sum(nil))
}
