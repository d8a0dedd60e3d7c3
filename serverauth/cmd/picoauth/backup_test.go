package main

import (
	"archive/tar"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil/services"
)

// installation is a server of its own folder that can be stopped and started.
type installation struct {
	t                *testing.T
	console          shell
	dir, url, config string
	port             string
	process          *program
}

func install(t *testing.T) *installation {
	t.Helper()
	i := &installation{t: t, console: newConsole(t), dir: t.TempDir(), port: strconv.Itoa(services.FreePort(t))}
	i.url = "http://localhost:" + i.port
	i.config = decode[map[string]string](t, i.console.mustWith(adminPassword, "init", "--dir", i.dir, "--issuer", i.url, "-o", "json"))["config"]
	i.start()
	return i
}

func (i *installation) start() {
	i.process = launch(i.t, i.dir, i.environ(), "serve", "--config", i.config)
	await(i.t, i.process, i.url)
}

// environ has the storage that a test has named for the commands too.
func (i *installation) environ() []string {
	environ := []string{"APP__PORT=" + i.port}
	if storage := os.Getenv("SERVER_AUTH__STORAGE_URL"); storage != "" {
		environ = append(environ, "SERVER_AUTH__STORAGE_URL="+storage)
	}
	return environ
}

func (i *installation) stop() {
	require.NoError(i.t, i.process.Process.Signal(syscall.SIGTERM))
	require.NoError(i.t, i.process.Wait(), "%s", &i.process.out)
}

func (i *installation) login() {
	i.console.mustWith(adminPassword, "login", "--url", i.url, "--email", "admin@pico.local")
}

// lose moves the data away.
func (i *installation) lose() {
	require.NoError(i.t, os.RemoveAll(filepath.Join(i.dir, "picoauth-data")))
}

func TestABackupOfARunningServerIsPutBack(t *testing.T) {
	i := install(t)
	c := i.console
	i.login()
	archive := filepath.Join(t.TempDir(), "backup.tar")
	assert.Contains(t, c.must("backup", archive, "--config", i.config), "picoauth restore "+archive)
	info, err := os.Stat(archive)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	left, err := os.ReadDir(filepath.Dir(archive))
	require.NoError(t, err)
	assert.Len(t, left, 1, "nothing else is left")
	r := c.run("backup", archive, "--config", i.config)
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.err, "exists", "a backup is never overwritten")

	r = c.run("restore", archive, "--config", i.config, "--end", "none")
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.err, "stop the server, move")
	i.stop()
	i.lose()
	for answer, want := range map[string]string{"": "add --end none", "some\n": `"some" is not none`} {
		r = c.runWith(answer, "restore", archive, "--config", i.config)
		assert.Equal(t, exitUsage, r.code)
		assert.Contains(t, r.err, want)
	}
	assert.Contains(t, c.mustWith("none\n", "restore", archive, "--config", i.config), "Ended: none")
	for end, test := range map[string]struct {
		removed int
		works   bool // the session of before
	}{endNone: {0, true}, endSessions: {1, false}, endAll: {2, false}} {
		i.lose()
		result := decode[map[string]any](t, c.must("restore", archive, "--config", i.config, "--end", end, "-o", "json"))
		assert.Len(t, result["removed_keys"], test.removed, end)
		i.start()
		if !test.works {
			r := c.run("keys", "list")
			assert.Equal(t, exitFailed, r.code, "%s: the access token of before is refused", end)
			assert.Contains(t, r.err, "401")
			kept := newSessionOf(t)
			kept.expire(t)
			assert.Contains(t, c.run("keys", "list").err, "the session has ended", end)
			kept.restore(t)
			fresh := sessionIn(t, t.TempDir())
			c.mustWith(adminPassword, "login", "--url", i.url, "--email", "admin@pico.local", "--session", fresh)
			assert.Contains(t, c.must("keys", "list", "--session", fresh), "active", end)
		} else {
			assert.Contains(t, c.must("sessions", "list"), "admin@pico.local")
		}
		i.stop()
	}
}

func sessionIn(t *testing.T, dir string) string {
	t.Helper()
	return filepath.Join(dir, "session.json")
}

// keptSession is the session of before, whose access token can be made to look expired, so that it is renewed.
type keptSession struct {
	file sessionFile
	was  session
}

func newSessionOf(t *testing.T) keptSession {
	t.Helper()
	file, err := openSessionFile("")
	require.NoError(t, err)
	was, err := file.load()
	require.NoError(t, err)
	return keptSession{file, was}
}

func (k keptSession) expire(t *testing.T) {
	t.Helper()
	expired := k.was
	expired.ExpiresAt = expired.ExpiresAt.AddDate(-1, 0, 0)
	require.NoError(t, k.file.save(expired))
}

func (k keptSession) restore(t *testing.T) {
	t.Helper()
	require.NoError(t, k.file.save(k.was))
}

func TestArchivesThatAreNone(t *testing.T) {
	c := newConsole(t)
	dir := t.TempDir()
	config := decode[map[string]string](t, c.mustWith(adminPassword, "init", "--dir", dir, "-o", "json"))["config"]
	archive := func(entries map[string]byte) string {
		path := filepath.Join(t.TempDir(), "a.tar")
		file, err := os.Create(path)
		require.NoError(t, err)
		w := tar.NewWriter(file)
		for name, kind := range entries {
			header := &tar.Header{Name: name, Typeflag: kind, Mode: 0o600}
			if kind == tar.TypeSymlink {
				header.Linkname = "/etc/passwd"
			}
			require.NoError(t, w.WriteHeader(header))
		}
		require.NoError(t, w.Close())
		require.NoError(t, file.Close())
		return path
	}
	for path, want := range map[string]string{
		write(t, strings.Repeat("no archive ", 200)): "is not an archive",
		archive(nil): "has no database",
		archive(map[string]byte{"keys/../../outside.json": tar.TypeReg}): "it has",
		archive(map[string]byte{"keys/.lock": tar.TypeReg}):              "it has",
		archive(map[string]byte{"/etc/passwd": tar.TypeReg}):             "it has",
		archive(map[string]byte{"picoauth.db": tar.TypeSymlink}):         "it has",
		archive(map[string]byte{"keys/a.json": tar.TypeReg}):             "has no database",
		filepath.Join(dir, "none"):                                       "no such file",
	} {
		r := c.run("restore", path, "--config", config, "--end", "all")
		assert.Equal(t, exitFailed, r.code, path)
		assert.Contains(t, r.err, want)
		assert.NoFileExists(t, filepath.Join(dir, "picoauth-data", "picoauth.db"))
		assert.NoFileExists(t, filepath.Join(dir, "picoauth-data", "keys", "a.json"))
	}
	assert.Equal(t, exitUsage, c.run("restore", "x", "--config", config, "--end", "some").code)
	assert.Equal(t, exitUsage, c.run("restore", "x", "--config", config).code)
	assert.Contains(t, c.run("backup", filepath.Join(dir, "b.tar"), "--config", config).err, "check that --config is that of the server")
	other := write(t, "server_auth:\n  storage_url: postgres://db.example.com/picoauth\n")
	assert.Contains(t, c.run("backup", filepath.Join(dir, "b.tar"), "--config", other).err, "pg_dump")
}
