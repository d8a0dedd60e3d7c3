package keys_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/serverauth/keys"
)

// However a key file was damaged, a start sets it aside, says so, and goes on with the rest.
func TestDamagedFileNeverStopsAStart(t *testing.T) {
	for mode, key := range map[string]*keys.EncryptionKey{"plain": nil, "sealed": encryptionKey(t)} {
		record, rest := fullRecord(t, "EdDSA"), fullRecord(t, "ML-DSA-44")
		whole, err := keys.EncodeRecord(record, key)
		if err != nil {
			t.Fatal(err)
		}
		damages := map[string][]byte{
			"zeros":       make([]byte, len(whole)),
			"garbage":     []byte("\x00\xff{]not a key"),
			"another key": mustEncode(t, rest, key),
			"too large":   append([]byte(strings.Repeat(" ", keys.MaxRecordBytes)), whole...),
		}
		for cut := 0; cut < len(whole); cut += 29 {
			damages["cut at "+itoa(cut)] = whole[:cut]
		}
		for at := 0; at < len(whole); at += 31 {
			flipped := append([]byte(nil), whole...)
			flipped[at] ^= 4
			damages["bit flipped at "+itoa(at)] = flipped
		}
		t.Run(mode, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "keys")
			put(t, openFiles(t, dir, key), record, rest)
			path := filepath.Join(dir, record.ID+".json")
			for name, data := range damages {
				if err := os.WriteFile(path, data, 0o600); err != nil {
					t.Fatal(err)
				}
				checkSetAside(t, name, dir, path, key, rest)
			}
		})
	}
}

func checkSetAside(t *testing.T, name, dir, path string, key *keys.EncryptionKey, rest keys.Record) {
	t.Helper()
	damaged, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var log logBook
	store, err := keys.OpenFileStore(context.Background(), dir, key, log.logger())
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if got := load(t, store); len(got) != 1 || !got[rest.ID].Equal(rest) {
		t.Fatalf("%s: got %v", name, got)
	}
	aside, err := os.ReadFile(path + ".corrupt")
	if err != nil || string(aside) != string(damaged) {
		t.Fatalf("%s: not set aside: %v", name, err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Fatalf("%s: still there", name)
	}
	if !strings.Contains(log.String(), path) {
		t.Fatalf("%s: not logged: %s", name, log.String())
	}
}

// A running process finds the damage, too.
func TestDamageWhileRunning(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	store := openFiles(t, dir, nil)
	record, rest := fullRecord(t, "EdDSA"), fullRecord(t, "EdDSA")
	put(t, store, record, rest)
	load(t, store)
	path := filepath.Join(dir, record.ID+".json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := load(t, store); len(got) != 1 || !got[rest.ID].Equal(rest) {
		t.Fatalf("got %v", got)
	}
	if _, err := os.Stat(path + ".corrupt"); err != nil {
		t.Fatal(err)
	}
}

// A ring whose signing key was damaged goes on with the spare, which clients know.
func TestRingOutlivesItsSignersFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	c := newClock()
	ring := open(t, openFiles(t, dir, nil), config(c))
	lost, spare := signerID(t, ring), only(t, inState(ring, keys.StatePending))
	c.Add(keys.DefaultConfig().PendingTime())
	if err := os.Truncate(filepath.Join(dir, lost+".json"), 10); err != nil {
		t.Fatal(err)
	}
	for name, ring := range map[string]*keys.Ring{"running": ring, "restarted": open(t, openFiles(t, dir, nil), config(c))} {
		tick(t, ring)
		if signerID(t, ring) != spare || publishes(ring, lost) || len(inState(ring, keys.StatePending)) != 1 {
			t.Errorf("%s: %v", name, ring.List())
		}
		if load(t, openFiles(t, dir, nil))[spare].ActivatesAt.IsZero() {
			t.Errorf("%s: since when the spare signs was not kept", name)
		}
	}
}

func TestVanishedFolderIsNoFirstStart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	c := newClock()
	ring := open(t, openFiles(t, dir, nil), config(c))
	signer := signerID(t, ring)
	away := dir + "-away"
	if err := os.Rename(dir, away); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil { // the mount point below
		t.Fatal(err)
	}
	c.Add(10e9)
	if err := ring.Tick(t.Context()); err == nil || signerID(t, ring) != signer {
		t.Fatalf("got %v", err)
	}
	c.Add(30e9)
	if _, err := ring.Sign("at+jwt", claims(c.Now()), c.Now().Unix()); err == nil {
		t.Fatal("it signs without knowing whether its key is still published")
	}
	if len(snapshot(t, dir)) > 1 { // the lock
		t.Fatal("new keys were made")
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(away, dir); err != nil {
		t.Fatal(err)
	}
	tick(t, ring)
	if signerID(t, ring) != signer {
		t.Fatal("another key")
	}
}

func mustEncode(t testing.TB, r keys.Record, key *keys.EncryptionKey) []byte {
	t.Helper()
	data, err := keys.EncodeRecord(r, key)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
