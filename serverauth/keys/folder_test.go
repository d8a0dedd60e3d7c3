package keys_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/testutil/services"
)

// A key folder or file that another user owns or may write is refused at the start, with its name.
func TestKeysOfOthers(t *testing.T) {
	if runtime.GOOS == "windows" {
		services.Missing(t, "permissions are no bits there, so NOTHING of this test was run")
	}
	const nobody = 65534
	for name, test := range map[string]struct {
		change func(dir, file string) error
		root   bool
		named  func(dir, file string) string
	}{
		"writable file":     {func(_, file string) error { return os.Chmod(file, 0o622) }, false, func(_, file string) string { return file }},
		"writable folder":   {func(dir, _ string) error { return os.Chmod(dir, 0o770) }, false, func(dir, _ string) string { return dir }},
		"file of another":   {func(_, file string) error { return os.Chown(file, nobody, nobody) }, true, func(_, file string) string { return file }},
		"folder of another": {func(dir, _ string) error { return os.Chown(dir, nobody, nobody) }, true, func(dir, _ string) string { return dir }},
	} {
		t.Run(name, func(t *testing.T) {
			if test.root && os.Getuid() != 0 {
				services.Missing(t, "only root can give files away: files of other users were NOT tested")
			}
			dir := filepath.Join(t.TempDir(), "keys")
			put(t, openFiles(t, dir, nil), secretRecord("a"))
			file := filepath.Join(dir, "secret.a.json")
			if err := test.change(dir, file); err != nil {
				t.Fatal(err)
			}
			if _, err := keys.OpenFileStore(t.Context(), dir, nil, nil); err == nil || !strings.Contains(err.Error(), test.named(dir, file)) {
				t.Errorf("got %v", err)
			}
		})
	}
}
