package redisstore_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/redisstore"
	"github.com/picoauth/picoauth/testutil/services"
)

const keyRecords = "{picoauth:keys}:records"

func secretRecord(name string) keys.Record {
	return keys.Record{
		ID: "secret." + name, Kind: keys.KindSecret, CreatedAt: time.Now().UTC().Truncate(time.Millisecond),
		Private: []byte("a secret of precisely 32 bytes.."),
	}
}

func put(t *testing.T, store keys.Store, records ...keys.Record) {
	t.Helper()
	err := store.Update(t.Context(), func(before []keys.Record) ([]keys.Record, error) { return append(before, records...), nil })
	if err != nil {
		t.Fatal(err)
	}
}

func holds(t *testing.T, store keys.Store, ids ...string) {
	t.Helper()
	records, err := store.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := make([]string, len(records))
	for i, record := range records {
		found[i] = record.ID
	}
	if strings.Join(found, " ") != strings.Join(ids, " ") {
		t.Errorf("it holds %v, not %v", found, ids)
	}
}

func TestKeysAreSealed(t *testing.T) {
	server := services.Redis(t)
	c := config(t, server.URL())
	record := secretRecord("a")
	put(t, open(t, redisstore.New(), c).Keys, record)
	for id, text := range client(t, server.URL()).HGetAll(t.Context(), keyRecords).Val() {
		if strings.Contains(text, string(record.Private)) || strings.Contains(text, `"private"`) {
			t.Errorf("%s is not sealed: %s", id, text)
		}
	}
	another, err := keys.ParseEncryptionKey(strings.Repeat("ab", 32))
	if err != nil {
		t.Fatal(err)
	}
	c.EncryptionKey = another
	if _, err := open(t, redisstore.New(), c).Keys.Load(t.Context()); !errors.Is(err, keys.ErrWrongKey) {
		t.Errorf("got %v", err)
	}
}

// A damaged record is set aside and reported once; the others live.
func TestDamagedKey(t *testing.T) {
	server := services.Redis(t)
	var log bytes.Buffer
	c := config(t, server.URL())
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	store, other := open(t, redisstore.New(), c).Keys, open(t, redisstore.New(), c).Keys
	put(t, store, secretRecord("a"), secretRecord("b"))
	admin := client(t, server.URL())
	for field, value := range map[string]string{"secret.b": "damaged", "": "another version"} {
		if err := admin.HSet(t.Context(), keyRecords, field, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		holds(t, store, "secret.a")
		holds(t, other, "secret.a")
	}
	if aside := admin.HGet(t.Context(), "{picoauth:keys}:damaged", "secret.b").Val(); aside != "damaged" {
		t.Errorf("aside is %q", aside)
	}
	if n := strings.Count(log.String(), "kid=secret.b"); n != 1 {
		t.Errorf("reported %d times: %s", n, log.String())
	}
	put(t, other, secretRecord("b"))
	holds(t, store, "secret.a", "secret.b")
}

// An update that another process overtakes begins again with what that one wrote.
func TestOvertakenUpdate(t *testing.T) {
	server := services.Redis(t)
	c := config(t, server.URL())
	store, other := open(t, redisstore.New(), c).Keys, open(t, redisstore.New(), c).Keys
	tries := 0
	err := store.Update(t.Context(), func(before []keys.Record) ([]keys.Record, error) {
		if tries++; tries == 1 {
			put(t, other, secretRecord("a"))
		}
		return append(before, secretRecord("b")), nil
	})
	if err != nil || tries != 2 {
		t.Errorf("%d tries, %v", tries, err)
	}
	holds(t, store, "secret.a", "secret.b")
}

// An update waits for another one of its process no longer than its context.
func TestUpdateWaits(t *testing.T) {
	server := services.Redis(t)
	store := open(t, redisstore.New(), config(t, server.URL())).Keys
	err := store.Update(t.Context(), func(before []keys.Record) ([]keys.Record, error) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		err := store.Update(ctx, func([]keys.Record) ([]keys.Record, error) { return nil, errors.New("two at a time") })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		return before, nil
	})
	if err != nil {
		t.Error(err)
	}
}
