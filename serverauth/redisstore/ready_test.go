package redisstore_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/serverauth/redisstore"
	"github.com/picoauth/picoauth/testutil/services"
)

// A user who may not do what requests need is refused at the start, and makes a running process not ready.
func TestUserWithoutScripts(t *testing.T) {
	server := services.Redis(t)
	admin := client(t, server.URL())
	grant := func(name string, rules ...any) string {
		if err := admin.Do(t.Context(), append([]any{"ACL", "SETUSER", name, "on", ">long enough", "~{picoauth:*", "&{picoauth:*"}, rules...)...).Err(); err != nil {
			t.Fatal(err)
		}
		u := url.URL{Scheme: "redis", User: url.UserPassword(name, "long enough"), Host: server.Addr()}
		return u.String()
	}
	for name, without := range map[string][]any{
		"scripting": {"+@all", "-@scripting"}, "sets": {"+@all", "-zadd"}, "transactions": {"+@all", "-@transaction"},
	} {
		_, err := redisstore.New().Open(t.Context(), config(t, grant(name, without...)))
		if err == nil || !strings.Contains(err.Error(), "allow it to run scripts") {
			t.Errorf("without %s: %v", name, err)
		}
	}
	stores := open(t, redisstore.New(), config(t, grant("changing", "+@all")))
	if err := stores.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	use(t, stores)
	grant("changing", "-@scripting")
	if err := stores.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "sessions:") {
		t.Errorf("ready: %v", err)
	}
}
