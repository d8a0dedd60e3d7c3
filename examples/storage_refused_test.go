package examples_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil/services"
)

// TestStorageThatRefusesToStart: each is one line that names the setting, and holds no password.
func TestStorageThatRefusesToStart(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct {
		name    string
		environ []string
		want    []string
	}{
		{"keys outlive a memory store", []string{"SERVER_AUTH__STORAGE_URL=memory:", "SERVER_AUTH__KEY_DIR=" + filepath.Join(dir, "keys")},
			[]string{"server_auth.key_dir: ", "revoked tokens would be valid again after a restart"}},
		{"keys outlive a memory store of revocations", []string{"SERVER_AUTH__REVOCATION_STORAGE_URL=memory:", "SERVER_AUTH__DATA_DIR=" + filepath.Join(dir, "a")},
			[]string{"server_auth.revocation_storage_url: "}},
		{"keys outlive a memory store of sessions", []string{"SERVER_AUTH__SESSION_STORAGE_URL=memory:", "SERVER_AUTH__DATA_DIR=" + filepath.Join(dir, "b")},
			[]string{"server_auth.session_storage_url: "}},
		{"keys elsewhere outlive a memory store", []string{"SERVER_AUTH__STORAGE_URL=memory:", "SERVER_AUTH__KEY_STORAGE_URL=sqlite:" + filepath.Join(dir, "k.db"),
			"SERVER_AUTH__KEY_ENCRYPTION_KEY=" + encryptionKey}, []string{"server_auth.key_storage_url: "}},
		{"no such backend", []string{"SERVER_AUTH__STORAGE_URL=mysql://picoauth:hunter2@127.0.0.1/auth"}, []string{"server_auth.storage_url: ", `"mysql"`}},
		{"no URL", []string{"SERVER_AUTH__STORAGE_URL=hunter2"}, []string{"server_auth.storage_url"}},
		{"nobody listens, PostgreSQL", []string{"SERVER_AUTH__STORAGE_URL=postgres://picoauth:hunter2@127.0.0.1:1/auth", "SERVER_AUTH__KEY_ENCRYPTION_KEY=" + encryptionKey},
			[]string{"server_auth.storage_url: "}},
		{"nobody listens, Redis", []string{"SERVER_AUTH__CHALLENGE_STORAGE_URL=redis://:hunter2@127.0.0.1:1/0", "SERVER_AUTH__DATA_DIR=" + filepath.Join(dir, "c")},
			[]string{"server_auth.challenge_storage_url: "}},
		{"no key", []string{"SERVER_AUTH__KEY_ENCRYPTION_KEY=hunter2", "SERVER_AUTH__DATA_DIR=" + filepath.Join(dir, "d")}, []string{"key_encryption_key"}},
	} {
		t.Run(test.name, func(t *testing.T) { refusesToStart(t, test.environ, test.want...) })
	}
	t.Run("keys in a database without an encryption key", func(t *testing.T) {
		url := services.Postgres(t).URL()
		refusesToStart(t, []string{"SERVER_AUTH__STORAGE_URL=" + url}, "server_auth.key_encryption_key is required")
		for _, role := range []string{"revocation", "session"} {
			refusesToStart(t, []string{"SERVER_AUTH__STORAGE_URL=" + url, "SERVER_AUTH__KEY_ENCRYPTION_KEY=" + encryptionKey,
				"SERVER_AUTH__" + strings.ToUpper(role) + "_STORAGE_URL=memory:"}, "server_auth."+role+"_storage_url: ")
		}
		first := newReplica(t, replicaSettings("SERVER_AUTH__STORAGE_URL="+url, "SERVER_AUTH__KEY_ENCRYPTION_KEY="+encryptionKey))
		first.start()
		request := first.signInRequest(t, newWallet(t))
		refusesToStart(t, []string{"SERVER_AUTH__STORAGE_URL=" + url}, "key_encryption_key")
		second := newReplica(t, replicaSettings("SERVER_AUTH__STORAGE_URL="+url, "SERVER_AUTH__KEY_ENCRYPTION_KEY="+encryptionKey))
		second.start()
		assert.Equal(t, 200, second.ask(t, "POST", "/sign-in", "", request).status, "what was refused has replaced nothing")
		first.stop()
		other := strings.Repeat("f", len(encryptionKey))
		refusesToStart(t, []string{"SERVER_AUTH__STORAGE_URL=" + url, "SERVER_AUTH__KEY_ENCRYPTION_KEY=" + other}, "key_encryption_key")
	})
}

// TestKeysWithoutTheirDatabase: a start that cannot know what was revoked says so.
func TestKeysWithoutTheirDatabase(t *testing.T) {
	dir := t.TempDir()
	started := func() *replica {
		r := newReplica(t, replicaSettings("SERVER_AUTH__DATA_DIR="+dir))
		r.start()
		r.stop()
		return r
	}
	warned := func(r *replica) bool {
		return slices.ContainsFunc(r.events, func(e map[string]any) bool {
			return strings.HasPrefix(e["msg"].(string), "there are keys but no database")
		})
	}
	assert.False(t, warned(started()), "the first start")
	assert.False(t, warned(started()), "the next")
	require.NoError(t, os.Remove(filepath.Join(dir, "picoauth.db")))
	assert.True(t, warned(started()))
}

// TestARefusedStartTouchesNothing: a process that may not read the keys leaves the rest as it is to those that may.
func TestARefusedStartTouchesNothing(t *testing.T) {
	settings := []string{"SERVER_AUTH__DATA_DIR=" + t.TempDir()}
	sealed := append(settings, "SERVER_AUTH__KEY_ENCRYPTION_KEY="+encryptionKey)
	a := newReplica(t, replicaSettings(sealed...))
	a.start()
	request := a.signInRequest(t, newWallet(t))
	refusesToStart(t, settings, "key_encryption_key")
	b := newReplica(t, replicaSettings(sealed...))
	b.start()
	assert.Equal(t, 200, b.ask(t, "POST", "/sign-in", "", request).status, "the key of the challenges is the same")
}

func refusesToStart(t *testing.T, environ []string, want ...string) {
	t.Helper()
	p := launch(t, "standalone", nil, append(environ, "APP__PORT=0")...)
	code, stderr := p.exit()
	assert.Equal(t, 1, code)
	assert.Equal(t, 1, strings.Count(stderr, "\n"), "one line: %q", stderr)
	for _, text := range want {
		assert.Contains(t, stderr, text)
	}
	for _, secret := range []string{"hunter2", encryptionKey, "secret-"} {
		assert.NotContains(t, stderr, secret)
	}
	t.Log(strings.TrimSpace(stderr))
}
