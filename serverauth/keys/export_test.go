package keys

import (
	"encoding/json"
	"testing"
)

// NewKeyRecord makes a key without times.
var NewKeyRecord = generate

// ReplaceMetadata puts the metadata of another record into an encoded one, with a right checksum.
func ReplaceMetadata(t testing.TB, encoded []byte, with Record) []byte {
	t.Helper()
	data, err := EncodeRecord(with, nil)
	if err != nil {
		t.Fatal(err)
	}
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		t.Fatal(err)
	}
	return WithMetadata(t, encoded, e.Record)
}

// WithMetadata puts metadata into an encoded record, with a right checksum.
func WithMetadata(t testing.TB, encoded, metadata []byte) []byte {
	t.Helper()
	var e envelope
	if err := json.Unmarshal(encoded, &e); err != nil {
		t.Fatal(err)
	}
	e.Record = metadata
	e.Sum = e.sum()
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Rechecked gives an encoded record the right checksum, so that a fuzzer comes behind it.
func Rechecked(encoded []byte) []byte {
	var e envelope
	if json.Unmarshal(encoded, &e) != nil || (e.Private == nil) == (e.Sealed == nil) {
		return encoded
	}
	e.Sum = e.sum()
	data, err := json.Marshal(e)
	if err != nil {
		return encoded
	}
	return data
}
