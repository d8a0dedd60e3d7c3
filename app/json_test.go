package app_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/picoauth/picoauth/app"
)

type token struct {
	Subject string   `json:"sub"`
	Expires int64    `json:"exp"`
	Counter uint64   `json:"cnt"`
	Small   int8     `json:"small,omitempty"`
	Groups  []string `json:"groups,omitempty"`
	Lists   []string `json:"lists"`
	Role    string   `json:"role,omitempty"`
}

type reply struct {
	token
	Address string `json:"address"`
}

func TestAppendJSONIsThatOfEncodingJSON(t *testing.T) {
	type untagged struct{ Name string }
	type renamed struct {
		Subject string `json:"sub"`
		Other   string `json:"-"`
	}
	type shadowed struct {
		token
		Subject string `json:"sub"`
	}
	type timed struct {
		At time.Time `json:"at"`
	}
	type status string
	tests := map[string]any{
		"all":           token{"a", 1790000000, 7, -3, []string{"x", "y"}, []string{}, "r"},
		"empty":         token{},
		"largest":       token{Expires: -1 << 63, Counter: 1<<64 - 1},
		"escapes":       token{Subject: "\"\\<>&/\x00\n\t\x7f", Groups: []string{"line\nline", "é", "\xff\u2028"}},
		"line feeds":    token{Subject: "a\n\nb\n", Role: "\n"},
		"embedded":      reply{token{Subject: "a"}, "b"},
		"shadowed":      shadowed{token{Subject: "inner"}, "outer"},
		"without a tag": untagged{"a"},
		"left out":      renamed{"a", "b"},
		"of its own":    timed{time.Unix(0, 0).UTC()},
		"named text": struct {
			S status `json:"s"`
		}{"a"},
		"another option": struct {
			N int `json:"n,string"`
		}{1},
		"a pointer": &token{Subject: "a"},
		"a map":     map[string]any{"b": 1, "a": "<"},
		"nothing":   nil,
	}
	for name, value := range tests {
		t.Run(name, func(t *testing.T) {
			want, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			got, err := app.AppendJSON([]byte("before"), value)
			if err != nil || string(got) != "before"+string(want) {
				t.Errorf("%s, %v, want %s", got, err, want)
			}
		})
	}
	if _, err := app.AppendJSON(nil, make(chan int)); err == nil {
		t.Error("a channel was encoded")
	}
}

func FuzzAppendJSON(f *testing.F) {
	f.Add("sub", int64(1), uint64(2), "role", "a<b\n")
	f.Fuzz(func(t *testing.T, subject string, expires int64, counter uint64, role, group string) {
		value := token{Subject: subject, Expires: expires, Counter: counter, Role: role, Groups: []string{group, role}}
		want, _ := json.Marshal(value)
		got, err := app.AppendJSON(nil, value)
		if err != nil || string(got) != string(want) {
			t.Fatalf("%s, %v, want %s", got, err, want)
		}
	})
}
