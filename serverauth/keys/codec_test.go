package keys_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/keys"
)

func fullRecord(t testing.TB, algorithm string) keys.Record {
	r := keyRecord(t, algorithm)
	r.ActivatesAt = start.Add(665 * time.Second)
	return r
}

func tombstone(t testing.TB) keys.Record {
	r := fullRecord(t, "EdDSA")
	r.Private, r.CompromisedAt = nil, start.Add(time.Hour)
	return r
}

func TestCodecRoundTrip(t *testing.T) {
	records := map[string]keys.Record{"tombstone": tombstone(t), "secret": secretRecord("audit")}
	for _, algorithm := range keys.Algorithms() {
		records[algorithm] = fullRecord(t, algorithm)
	}
	for name, record := range records {
		for mode, key := range map[string]*keys.EncryptionKey{"plain": nil, "sealed": encryptionKey(t)} {
			t.Run(name+" "+mode, func(t *testing.T) {
				data, err := keys.EncodeRecord(record, key)
				if err != nil {
					t.Fatal(err)
				}
				if key != nil && len(record.Private) > 0 && bytes.Contains(data, record.Private) {
					t.Fatal("the private part is readable")
				}
				got, err := keys.DecodeRecord(data, key)
				if err != nil {
					t.Fatal(err)
				}
				if !got.Equal(record) {
					t.Fatalf("got %s with other fields", got)
				}
			})
		}
	}
}

func TestDecodeRecordRefuses(t *testing.T) {
	key := encryptionKey(t)
	other, err := keys.ParseEncryptionKey("00000000000000000000000000000000000000000000000000000000000000ff")
	if err != nil {
		t.Fatal(err)
	}
	encode := func(r keys.Record, key *keys.EncryptionKey) []byte {
		data, err := keys.EncodeRecord(r, key)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	record, dead := fullRecord(t, "ES256"), tombstone(t)
	plain, sealed := encode(record, nil), encode(record, key)
	tests := []struct {
		name string
		data []byte
		key  *keys.EncryptionKey
		want error
	}{
		{"sealed without a key", sealed, nil, keys.ErrKeyRequired},
		{"sealed with another key", sealed, other, keys.ErrWrongKey},
		{"plain with a key", plain, key, keys.ErrNotEncrypted},
		{"a plain tombstone with a key", encode(dead, nil), key, keys.ErrNotEncrypted},
		{"a sealed tombstone without a key", encode(dead, key), nil, keys.ErrKeyRequired},
		{"empty", nil, nil, keys.ErrCorrupt},
		{"no JSON", []byte("-----BEGIN PRIVATE KEY-----"), nil, keys.ErrCorrupt},
		{"another JSON", []byte(`{"keys":[]}`), nil, keys.ErrCorrupt},
		{"null", []byte(`null`), nil, keys.ErrCorrupt},
		{"trailing data", append(bytes.Clone(plain), plain...), nil, keys.ErrCorrupt},
		{"too large", append(bytes.Clone(plain), bytes.Repeat([]byte(" "), keys.MaxRecordBytes)...), nil, keys.ErrCorrupt},
		{"a changed field", bytes.Replace(plain, []byte(`"alg":"ES256"`), []byte(`"alg":"ES384"`), 1), nil, keys.ErrCorrupt},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := keys.DecodeRecord(test.data, test.key); !errors.Is(err, test.want) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

// An attacker who can write the file, checksum included, but does not hold the encryption key.
func TestSealedMetadataCannotBeForged(t *testing.T) {
	key := encryptionKey(t)
	forged := func(honest, lie keys.Record) []byte {
		sealed, err := keys.EncodeRecord(honest, key)
		if err != nil {
			t.Fatal(err)
		}
		return keys.ReplaceMetadata(t, sealed, lie)
	}
	record, dead := fullRecord(t, "EdDSA"), tombstone(t)
	sooner, renamed, revived := record.Clone(), fullRecord(t, "EdDSA"), dead.Clone()
	sooner.ActivatesAt = start
	revived.CompromisedAt = time.Time{}
	for name, data := range map[string][]byte{
		"another time":           forged(record, sooner),
		"another key's metadata": forged(record, renamed),
		"a tombstone undone":     forged(dead, revived),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := keys.DecodeRecord(data, key); !errors.Is(err, keys.ErrWrongKey) {
				t.Fatalf("got %v", err)
			}
		})
	}
	if _, err := keys.DecodeRecord(forged(record, record), key); err != nil {
		t.Fatalf("the forgery itself is broken: %v", err)
	}
}

func TestNewerFormatIsNotTakenForDamage(t *testing.T) {
	data, err := keys.EncodeRecord(secretRecord("refresh"), nil)
	if err != nil {
		t.Fatal(err)
	}
	newer := keys.WithMetadata(t, data, []byte(`{"version":2,"kid":"secret.refresh","colour":"blue"}`))
	if _, err := keys.DecodeRecord(newer, nil); !errors.Is(err, keys.ErrNewerFormat) {
		t.Fatalf("got %v", err)
	}
}
