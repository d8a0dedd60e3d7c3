package verify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/picoauth/picoauth/clientauth/verify"
)

// list is a denylist endpoint as the issuer serves it.
type list struct {
	mu       sync.Mutex
	items    []verify.Revocation
	noSeq    bool
	queries  []string
	notModif int
	header   http.Header
}

func (l *list) revoke(items ...verify.Revocation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.items = append(l.items, items...)
}

func (l *list) serve(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queries, l.header = append(l.queries, r.URL.RawQuery), r.Header.Clone()
	since, _ := strconv.Atoi(r.URL.Query().Get("since"))
	reply := map[string]any{"items": append([]verify.Revocation{}, l.items[min(since, len(l.items)):]...), "seq": len(l.items), "x": []int{1}}
	if l.noSeq {
		reply["items"] = l.items
		delete(reply, "seq")
	}
	body := must(json.Marshal(reply))
	etag := fmt.Sprintf(`"%x"`, len(body))
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		l.notModif++
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(body)
}

type remoteList struct {
	*verify.RemoteDenylist
	server *server
	clock  *clock
}

func newRemoteList(t testing.TB, handler http.HandlerFunc, cfg verify.RemoteDenylistConfig) *remoteList {
	t.Helper()
	r := &remoteList{server: newServer(t, handler), clock: newClock()}
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Minute // the machine may be busy
	}
	cfg.URL, cfg.Clock, cfg.Logger = r.server.URL+"/revoked-jtis", r.clock.Now, quiet
	d, err := verify.NewRemoteDenylist(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.RemoteDenylist = d
	return r
}

func (r *remoteList) expect(t *testing.T, when, jti string, want bool, wantErr error) {
	t.Helper()
	hit, err := r.Denied(context.Background(), verify.TokenRef{ID: jti})
	if hit != want || !errors.Is(err, wantErr) {
		t.Errorf("%s: %v, %v", when, hit, err)
	}
}

func TestARevocationTakesEffectWithinTheTTL(t *testing.T) {
	l := &list{}
	l.revoke(verify.Revocation{JTI: "a", Exp: epoch.Unix() + 900})
	r := newRemoteList(t, l.serve, verify.RemoteDenylistConfig{Secret: "fleet"})
	r.expect(t, "the first list", "a", true, nil)
	if l.header.Get("X-Fleet-Secret") != "fleet" || l.header.Get("Authorization") != "" {
		t.Errorf("credentials: %v", l.header)
	}
	l.revoke(verify.Revocation{JTI: "b"})
	r.clock.Move(7 * time.Second)
	r.expect(t, "before half of the TTL", "b", false, nil)
	r.clock.Move(8 * time.Second)
	r.expect(t, "after the TTL", "b", true, nil)
	r.expect(t, "what was there stays", "a", true, nil)
	if fmt.Sprint(l.queries) != "[limit=5000 limit=5000&since=1]" {
		t.Errorf("queries: %q", l.queries)
	}
}

func TestTheListIsFetchedInTheBackgroundAtHalfItsTTL(t *testing.T) {
	l := &list{}
	r := newRemoteList(t, l.serve, verify.RemoteDenylistConfig{})
	r.expect(t, "first", "a", false, nil)
	l.revoke(verify.Revocation{JTI: "a"})
	r.clock.Move(8 * time.Second)
	_, _ = r.Denied(context.Background(), verify.TokenRef{})
	eventually(t, "the new item", func() bool {
		hit, _ := r.Denied(context.Background(), verify.TokenRef{ID: "a"})
		return hit
	})
}

func TestAnUnchangedListIsNotSentAgain(t *testing.T) {
	l := &list{}
	r := newRemoteList(t, l.serve, verify.RemoteDenylistConfig{Bearer: "token"})
	for range 4 {
		r.expect(t, "unchanged", "a", false, nil)
		r.clock.Move(15 * time.Second)
	}
	if l.notModif != 3 || l.header.Get("Authorization") != "Bearer token" {
		t.Errorf("%d times not modified, header %v", l.notModif, l.header)
	}
}

func TestAServerWithoutSeqIsReadWhole(t *testing.T) {
	l := &list{noSeq: true}
	l.revoke(verify.Revocation{JTI: "a"})
	r := newRemoteList(t, l.serve, verify.RemoteDenylistConfig{})
	r.expect(t, "first", "a", true, nil)
	l.mu.Lock()
	l.items = []verify.Revocation{{JTI: "bb"}}
	l.mu.Unlock()
	r.clock.Move(15 * time.Second)
	r.expect(t, "replaced", "a", false, nil)
	r.expect(t, "replaced", "bb", true, nil)
	if fmt.Sprint(l.queries) != "[limit=5000 limit=5000]" {
		t.Errorf("queries: %q", l.queries)
	}
}

func TestItFailsClosed(t *testing.T) {
	l := &list{}
	r := newRemoteList(t, serveStatus(http.StatusUnauthorized), verify.RemoteDenylistConfig{})
	r.expect(t, "never had", "a", false, verify.ErrDenylistUnavailable)
	r.expect(t, "within the pause", "a", false, verify.ErrDenylistUnavailable)
	if n := r.server.Requests.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
	r.server.Become(l.serve)
	r.clock.Move(time.Second)
	r.expect(t, "up", "a", false, nil)
	r.server.Become(serveStatus(http.StatusInternalServerError))
	r.clock.Move(14 * time.Second)
	r.expect(t, "down, within the TTL", "a", false, nil)
	_ = r.Refresh(context.Background())
	r.clock.Move(time.Second)
	r.expect(t, "down, after the TTL", "a", false, verify.ErrDenylistUnavailable)
	r.server.Become(l.serve)
	r.clock.Move(time.Second)
	r.expect(t, "up again", "a", false, nil)
}

func TestItFailsOpenWhenToldTo(t *testing.T) {
	l := &list{}
	l.revoke(verify.Revocation{JTI: "a"})
	r := newRemoteList(t, serveStatus(http.StatusInternalServerError), verify.RemoteDenylistConfig{FailOpen: true})
	r.expect(t, "never had", "a", false, nil)
	r.server.Become(l.serve)
	r.clock.Move(time.Second)
	r.expect(t, "a retry in the background", "b", false, nil)
	eventually(t, "the list", func() bool {
		hit, _ := r.Denied(context.Background(), verify.TokenRef{ID: "a"})
		return hit
	})
	r.server.Become(serveStatus(http.StatusInternalServerError))
	r.clock.Move(24 * time.Hour)
	r.expect(t, "the last list", "a", true, nil)
	r.expect(t, "the last list", "b", false, nil)
}

func TestWhatIsNoDenylist(t *testing.T) {
	hang := make(chan struct{})
	elsewhere := newServer(t, serveText(`{"items":[]}`))
	t.Cleanup(func() {
		close(hang)
		if n := elsewhere.Requests.Load(); n != 0 {
			t.Error("credentials went to another origin")
		}
	})
	for name, handler := range map[string]http.HandlerFunc{
		"empty": serveText(""), "HTML": serveText("<html>"), "a list": serveText("[]"), "no items": serveText(`{}`), "error": serveText(`{"error":"x"}`),
		"items an object": serveText(`{"items":{}}`), "items a text": serveText(`{"items":"x"}`), "truncated": serveText(`{"items":[{"jti":"a"}`),
		"jti a number": serveText(`{"items":[{"jti":7}]}`), "seq a text": serveText(`{"items":[],"seq":"x"}`), "304 at first": serveStatus(http.StatusNotModified),
		"forbidden":     serveStatus(http.StatusForbidden),
		"elsewhere":     func(w http.ResponseWriter, q *http.Request) { http.Redirect(w, q, elsewhere.URL, http.StatusFound) },
		"never answers": func(_ http.ResponseWriter, q *http.Request) { wait(q, hang) },
		"never ends": func(w http.ResponseWriter, q *http.Request) {
			_, _ = w.Write([]byte(`{"items":[`))
			flush(w)
			wait(q, hang)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRemoteList(t, handler, verify.RemoteDenylistConfig{Timeout: 100 * time.Millisecond})
			began := time.Now()
			r.expect(t, "first", "a", false, verify.ErrDenylistUnavailable)
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("answered after %v", took)
			}
		})
	}
}

func TestALongListArrives(t *testing.T) {
	const n = 20_000
	r := newRemoteList(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"items":[`))
		for i := range n {
			_, _ = fmt.Fprintf(w, `{"jti":"%d","revoked_at":1,"exp":%d},`, i, epoch.Unix()+900)
		}
		_, _ = w.Write([]byte(`{"sid":"last"}],"seq":7}`))
	}, verify.RemoteDenylistConfig{})
	r.expect(t, "first", "0", true, nil)
	r.expect(t, "in the middle", "12345", true, nil)
	r.expect(t, "last", strconv.Itoa(n-1), true, nil)
	if !denied(t, r, verify.TokenRef{SessionID: "last"}) {
		t.Error("the last item is missing")
	}
}

func FuzzReadRevocations(f *testing.F) {
	f.Add(`{"items":[{"jti":"a","sid":"s","revoked_at":1,"exp":2}],"seq":3}`)
	f.Add(`{"items":null}`)
	f.Add(`{"items":[{"jti":"a","revoked_at":1795883427.1,"reason":"x","revoked_by":null},{"sub":"s","revoked_at":1.795e9,"exp":1e300}],"next":"1-2"}`)
	f.Add(strings.Repeat(`{"items":[`, 50))
	f.Fuzz(func(t *testing.T, text string) {
		count := 0
		seq, _, items, err := verify.ReadRevocations(strings.NewReader(text), func(items ...verify.Revocation) {
			for _, item := range items {
				if item.JTI == "" && item.SID == "" && item.Sub == "" && item.KID == "" || item.Exp < 0 || item.RevokedAt < 0 {
					t.Fatalf("%q: %+v", text, item)
				}
			}
			count += len(items)
		})
		if err != nil {
			return
		}
		if items != count {
			t.Fatalf("%q: %d items, not %d", text, items, count)
		}
		var want struct {
			Items []verify.Revocation
			Seq   *int64
		}
		lower := strings.ToLower(text)
		plain := !strings.Contains(text, `\`) && strings.Count(lower, "items") == 1 && strings.Count(lower, "seq") <= 1
		if plain && json.Unmarshal([]byte(text), &want) == nil {
			if count != len(want.Items) || (seq == nil) != (want.Seq == nil) {
				t.Fatalf("%q: %d items, %v", text, count, seq)
			}
		}
	})
}
