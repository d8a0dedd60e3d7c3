package keys_test

import (
	"testing"

	"github.com/picoauth/picoauth/serverauth/keys"
)

// FuzzDecodeRecord feeds the reader of key files: it never panics, and what it accepts is a valid record that survives
// being written again.
func FuzzDecodeRecord(f *testing.F) {
	key := encryptionKey(f)
	seeds := []keys.Record{fullRecord(f, "EdDSA"), fullRecord(f, "ML-DSA-44"), tombstone(f), secretRecord("a")}
	for _, record := range seeds {
		for _, k := range []*keys.EncryptionKey{nil, key} {
			data, err := keys.EncodeRecord(record, k)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
			f.Add(data[:len(data)/2])
		}
	}
	f.Add([]byte(`{"record":{"version":1},"private":"","sha256":""}`))
	f.Add([]byte(`{"record":null,"sealed":"","sha256":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, k := range []*keys.EncryptionKey{nil, key} {
			for _, input := range [][]byte{data, keys.Rechecked(data)} {
				record, err := keys.DecodeRecord(input, k)
				if err != nil {
					continue
				}
				if err := record.Validate(); err != nil {
					t.Fatalf("accepted: %v", err)
				}
				again, err := keys.EncodeRecord(record, k)
				if err != nil {
					t.Fatal(err)
				}
				if back, err := keys.DecodeRecord(again, k); err != nil || !back.Equal(record) {
					t.Fatalf("did not survive: %v", err)
				}
			}
		}
	})
}
