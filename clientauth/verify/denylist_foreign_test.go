package verify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/clientauth/verify"
)

// newLoggedList is a denylist whose log the test reads.
func newLoggedList(t *testing.T, handler http.HandlerFunc) (*remoteList, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	r := &remoteList{server: newServer(t, handler), clock: newClock()}
	d, err := verify.NewRemoteDenylist(verify.RemoteDenylistConfig{
		URL: r.server.URL, Clock: r.clock.Now, Timeout: time.Minute, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	r.RemoteDenylist = d
	return r, &log
}

// Byte for byte what pico-server-auth answers: no seq, no exp, no sid, and fractions of seconds.
func TestTheListOfAPythonIssuer(t *testing.T) {
	r, log := newLoggedList(t, serveText(`{"items":[]}`))
	r.expect(t, "before", "9f86d081884c7d65", false, nil)
	r.server.Become(serveText(`{"items":[{"jti":"9f86d081884c7d65","revoked_at":1795883427.1,"reason":"stolen laptop","revoked_by":"admin@pico.local"},` +
		`{"jti":"60303ae22b998861","revoked_at":1795883428.25,"reason":"","revoked_by":"admin@pico.local"}]}`))
	r.clock.Move(15 * time.Second)
	r.expect(t, "revoked", "9f86d081884c7d65", true, nil)
	r.expect(t, "revoked", "60303ae22b998861", true, nil)
	r.expect(t, "another", "ce114e4501d2f4e2", false, nil)
	r.server.Become(serveText(`{"items":[{"jti":"60303ae22b998861","revoked_at":1795883428.25,"reason":"","revoked_by":"admin@pico.local"}]}`))
	r.clock.Move(100 * 24 * time.Hour)
	r.expect(t, "as long as it is listed", "60303ae22b998861", true, nil)
	r.expect(t, "no longer listed", "9f86d081884c7d65", false, nil)
	if log.Len() != 0 {
		t.Error(log)
	}
}

func TestNumbersOfOtherIssuers(t *testing.T) {
	at := strconv.FormatInt(epoch.Unix(), 10)
	for name, test := range map[string]struct {
		item   string
		issued int64
		want   bool
	}{
		"a fraction, issued before":     {`{"sub":"s","revoked_at":` + at + `.9}`, epoch.Unix(), true},
		"a fraction, issued after":      {`{"sub":"s","revoked_at":` + at + `.9}`, epoch.Unix() + 1, false},
		"an exponent":                   {`{"sub":"s","revoked_at":1e9}`, 1e9, true},
		"an exponent, issued after":     {`{"sub":"s","revoked_at":1E+9}`, 1e9 + 1, false},
		"null in what is not needed":    {`{"sub":"s","sid":null,"revoked_at":1e9,"exp":null,"reason":null,"revoked_by":7}`, 1e9, true},
		"an expiry with a fraction":     {`{"sub":"s","revoked_at":1e12,"exp":` + at + `.5}`, epoch.Unix(), true},
		"far in the future":             {`{"sub":"s","revoked_at":1e300,"exp":1e300}`, epoch.Unix(), true},
		"an expiry that is negative":    {`{"sub":"s","revoked_at":1e12,"exp":-1e300}`, epoch.Unix(), true},
		"before there were clocks":      {`{"sub":"s","revoked_at":-1e300}`, 1, false},
		"an item with members unknown":  {`{"sub":"s","revoked_at":1e9,"more":{"jti":["x"]}}`, 1e9, true},
		"a sequence number that is one": {`{"sub":"s","revoked_at":1e9}],"seq":1.5,"more":[1`, 1e9, true},
	} {
		t.Run(name, func(t *testing.T) {
			r, log := newLoggedList(t, serveText(`{"items":[`+test.item+`]}`))
			hit, err := r.Denied(context.Background(), verify.TokenRef{Subject: "s", IssuedAt: test.issued})
			if err != nil || hit != test.want {
				t.Errorf("%v, %v, %s", hit, err, log)
			}
		})
	}
}

// An item that cannot be read may be the one that counts: the list is unavailable, and the log says which it is.
func TestAnItemThatCannotBeRead(t *testing.T) {
	for item, want := range map[string]string{
		`{"jti":7}`:                            "item 1: field jti cannot be a number",
		`{"sid":["x"]}`:                        "item 1: field sid cannot be a array",
		`{"jti":"b","revoked_at":"yesterday"}`: "item 1: field revoked_at cannot be a string",
		`{"jti":"b","exp":true}`:               "item 1: field exp cannot be a bool",
		`{"jti":"b","exp":1e999}`:              "item 1: field exp cannot be a number 1e999",
		`{"token_id":"b","revoked_at":1}`:      "item 1: it has none of the fields jti, sid, sub and kid",
		`{}`:                                   "item 1: it has none of the fields",
		`null`:                                 "item 1: it has none of the fields",
		`"b"`:                                  "item 1: ",
		`{"sub":"s"}`:                          "item 1: field revoked_at is missing",
		`{"jti":"b"`:                           "item 1: ",
		`{"jti":"` + strings.Repeat("b", 1<<20) + `"}`:    "more than 1048576 bytes",
		strings.Repeat(" ", 1<<21) + `{"jti":"b"}`:        "more than 1048576 bytes",
		`{"jti":"b"}],"next":{"after":1},"more":[{"a":1}`: "next is neither a text nor a number",
	} {
		r, log := newLoggedList(t, serveText(`{"items":[{"jti":"a"},`+item+`]}`))
		r.expect(t, shortened(item), "c", false, verify.ErrDenylistUnavailable)
		if !strings.Contains(log.String(), want) {
			t.Errorf("%s: %s", shortened(item), shortened(log.String()))
		}
	}
}

func shortened(text string) string { return fmt.Sprintf("%.300s", text) }

// paged is an issuer that sends its list in pages of one item, and adds one while it is read.
type paged struct {
	list
	brokenAt string // the position at which it fails
}

func (p *paged) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queries = append(p.queries, r.URL.RawQuery)
	since, _ := strconv.Atoi(r.URL.Query().Get("since"))
	if after := r.URL.Query().Get("after"); after != "" {
		if after == p.brokenAt {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		since, _ = strconv.Atoi(strings.TrimPrefix(after, "at "))
	}
	page := p.items[since:min(since+1, len(p.items))]
	text := fmt.Sprintf(`"seq":%d`, len(p.items))
	if since+1 < len(p.items) {
		text += fmt.Sprintf(`,"next":"at %d"`, since+1)
	}
	for _, item := range page {
		text += fmt.Sprintf(`,"items":[{"jti":%q}]`, item.JTI)
	}
	if len(page) == 0 {
		text += `,"items":[]`
	}
	_, _ = w.Write([]byte("{" + text + "}"))
}

func TestAListInPages(t *testing.T) {
	p := &paged{brokenAt: "at 2"}
	for _, jti := range []string{"a", "b", "c"} {
		p.revoke(verify.Revocation{JTI: jti})
	}
	r := newRemoteList(t, p.serve, verify.RemoteDenylistConfig{})
	r.expect(t, "a page is missing", "a", false, verify.ErrDenylistUnavailable)
	p.mu.Lock()
	p.brokenAt, p.queries = "", nil
	p.mu.Unlock()
	r.clock.Move(time.Second)
	for _, jti := range []string{"a", "b", "c"} {
		r.expect(t, "all pages", jti, true, nil)
	}
	p.revoke(verify.Revocation{JTI: "d"}, verify.Revocation{JTI: "e"})
	r.clock.Move(15 * time.Second)
	r.expect(t, "the news, in pages", "e", true, nil)
	want := "[limit=5000 after=at+1&limit=5000 after=at+2&limit=5000 limit=5000&since=3 after=at+4&limit=5000&since=3]"
	if fmt.Sprint(p.queries) != want {
		t.Errorf("queries: %q", p.queries)
	}
}

func TestPagesThatDoNotEnd(t *testing.T) {
	r, log := newLoggedList(t, serveText(`{"items":[],"seq":1,"next":"1"}`))
	r.expect(t, "empty pages", "a", false, verify.ErrDenylistUnavailable)
	if !strings.Contains(log.String(), "a page without items names a next page") || r.server.Requests.Load() != 1 {
		t.Error(log)
	}
}

// An issuer whose store went back sends everything; what it has forgotten stays revoked here.
func TestAnIssuerThatWentBack(t *testing.T) {
	r, log := newLoggedList(t, serveText(`{"items":[{"jti":"lost","exp":1e10}],"seq":9}`))
	r.expect(t, "first", "lost", true, nil)
	r.server.Become(serveText(`{"items":[{"jti":"new","exp":1e10}],"seq":7}`))
	r.clock.Move(15 * time.Second)
	r.expect(t, "what came", "new", true, nil)
	r.expect(t, "what was lost", "lost", true, nil)
	if !strings.Contains(log.String(), "level=ERROR msg=store_went_back event=store_went_back store=denylist") {
		t.Error(log)
	}
}

// A long list over a slow link takes much longer than a request waits, and arrives.
func TestASlowListArrives(t *testing.T) {
	const timeout, parts = 100 * time.Millisecond, 80 // it may stand still for six time-outs, and takes more than that
	slow := func(w http.ResponseWriter, q *http.Request) {
		tick := time.NewTicker(timeout / 10)
		defer tick.Stop()
		_, _ = w.Write([]byte(`{"items":[`))
		for n := range parts {
			_, _ = fmt.Fprintf(w, `{"jti":"%d","reason":"%s"},`, n, strings.Repeat("r", 8<<10))
			flush(w)
			select {
			case <-tick.C:
			case <-q.Context().Done():
				return
			}
		}
		_, _ = w.Write([]byte(`{"jti":"last"}],"seq":1}`))
	}
	r := newRemoteList(t, slow, verify.RemoteDenylistConfig{Timeout: timeout})
	r.expect(t, "it is on its way", "last", false, verify.ErrDenylistUnavailable)
	eventually(t, "the whole list", func() bool {
		hit, err := r.Denied(context.Background(), verify.TokenRef{ID: "last"})
		return hit && err == nil
	})
	if n := r.server.Requests.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// Bytes that come one by one are no progress.
func TestAListThatDripsIsGivenUp(t *testing.T) {
	const timeout = 20 * time.Millisecond
	ended := make(chan error, 1)
	r := newRemoteList(t, func(w http.ResponseWriter, q *http.Request) {
		tick := time.NewTicker(timeout / 10)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_, _ = w.Write([]byte(" "))
				flush(w)
			case <-q.Context().Done():
				ended <- q.Context().Err()
				return
			}
		}
	}, verify.RemoteDenylistConfig{Timeout: timeout})
	r.expect(t, "it drips", "a", false, verify.ErrDenylistUnavailable)
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("it is read on")
	}
	eventually(t, "the error", func() bool {
		err := r.Refresh(context.Background())
		return err != nil && !errors.Is(err, context.DeadlineExceeded)
	})
}
