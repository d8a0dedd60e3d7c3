package storageurl_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/app/storageurl"
)

func TestCheck(t *testing.T) {
	for _, text := range []string{
		"postgres://u:p@h/d", "postgres://h:1,g:2/d?sslmode=disable", "redis://:p%40%2F%3F@h:1/0", "rediss://h", "postgres:///d?host=/run", "memory:",
		"redis+sentinel://u:p%40@h:1,g:2/master?db=1&sentinel_password=%40%2F", "rediss+sentinel://h/master", "redis+cluster://:p@h:1,g:2", "rediss+cluster://h:1",
		"sqlite:a@b.db", "postgres://" + url.UserPassword("u", `@:/#?% "'\`).String() + "@h/d",
	} {
		if err := storageurl.Check(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, password := range []string{"first@SECRET", "SECRET/x", "SECRET#x", "SECRET?x", "SECRET%x", "SEC RET", "SECRET/@x", "1/SECRET", "@SECRET", "SECRET@", "%zzSECRET", "1?SECRET"} {
		for _, scheme := range []string{"postgres", "redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster", "mine"} {
			for _, hosts := range []string{"127.0.0.1:1", "127.0.0.1:1,127.0.0.1:2"} {
				err := storageurl.Check(scheme + "://user:" + password + "@" + hosts + "/0")
				if !errors.Is(err, storageurl.ErrNotEncoded) || strings.Contains(err.Error(), "SECRET") {
					t.Errorf("%s, %s: %v", scheme, password, err)
				}
			}
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("p@ss")
	f.Fuzz(func(t *testing.T, password string) {
		encoded := "postgres://" + url.UserPassword("u", password).String() + "@h:1/d"
		if err := storageurl.Check(encoded); err != nil {
			t.Errorf("%q: %v", encoded, err)
		}
		u, err := url.Parse("postgres://u:" + password + "@h:1/d")
		if storageurl.Check("postgres://u:"+password+"@h:1/d") == nil && (err != nil || u.Host != "h:1" || u.Path != "/d" || u.RawQuery != "") {
			t.Errorf("%q is taken for another host or database", password)
		}
	})
}
