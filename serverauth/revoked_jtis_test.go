package serverauth_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/serverauth"
	authstore "github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil/storetest"
)

const listSecret = "a fleet secret of the tests"

// revokedPage is a reply of /revoked-jtis.
type revokedPage struct {
	Items []authstore.Revocation `json:"items"`
	Seq   int64                  `json:"seq"`
	Next  string                 `json:"next"`
	etag  string
}

// listing is a server whose denylist is in a store of the test's.
type listing struct {
	*server
	store *storetest.FaultyRevocations
}

func startListing(t *testing.T, items ...authstore.Revocation) listing {
	t.Helper()
	store := storetest.NewFaultyRevocations(items...)
	settings := map[string]any{"fleet_mint_secret": listSecret}
	return listing{startServer(t, settings, fx.Decorate(func() authstore.RevocationStore { return store })), store}
}

func (l listing) page(query string) (p revokedPage) {
	l.t.Helper()
	r := l.get("/revoked-jtis"+query, "X-Fleet-Secret", listSecret)
	require.Equal(l.t, 200, r.status, "%s", r.body)
	require.NoError(l.t, json.Unmarshal(r.body, &p))
	p.etag = r.header.Get("ETag")
	return p
}

func TestRevokedListInPages(t *testing.T) {
	items := storetest.NewRevocations("j", 2501) // of the store, three pages
	l := startListing(t, items...)
	whole := l.page("")
	assert.Equal(t, items, whole.Items)
	assert.Equal(t, strconv.Quote(strconv.FormatInt(whole.Seq, 10)), whole.etag)
	assert.Empty(t, whole.Next)
	for _, limit := range []int{1000, 1200, 2500, 2501, 10_000, 1 << 40} {
		query := "?limit=" + strconv.Itoa(limit)
		page := l.page(query)
		got := page.Items
		assert.Equal(t, whole.etag, page.etag)
		for page.Next != "" {
			assert.Len(t, page.Items, limit)
			page = l.page(query + "&after=" + url.QueryEscape(page.Next))
			assert.Equal(t, whole.Seq, page.Seq)
			got = append(got, page.Items...)
		}
		assert.Equal(t, items, got, "by %d", limit)
	}

	first := l.page("?limit=2000")
	late := storetest.NewRevocations("late", 1)
	_, err := l.store.Add(t.Context(), late)
	require.NoError(t, err)
	second := l.page("?limit=2000&after=" + first.Next)
	assert.Equal(t, first.Seq, second.Seq, "the first page's")
	assert.Equal(t, late, l.page("?since="+strconv.FormatInt(second.Seq, 10)).Items)
}

func TestRevokedListUnchanged(t *testing.T) {
	l := startListing(t, storetest.NewRevocations("j", 3)...)
	etag := l.page("").etag
	for _, query := range []string{"", "?limit=2"} {
		r := l.get("/revoked-jtis"+query, "X-Fleet-Secret", listSecret, "If-None-Match", etag)
		assert.Equal(t, 304, r.status)
		assert.Empty(t, r.body)
	}
	_, err := l.store.Add(t.Context(), storetest.NewRevocations("j", 3)) // nothing new
	require.NoError(t, err)
	assert.Equal(t, etag, l.page("").etag)
	head := l.do(http.MethodHead, "/revoked-jtis", "", nil, "X-Fleet-Secret", listSecret)
	assert.Equal(t, 200, head.status)
	assert.Equal(t, etag, head.header.Get("ETag"))
}

// Who has seen what the store has lost gets everything, on the next page too.
func TestRevokedListOfAStoreThatWentBack(t *testing.T) {
	l := startListing(t, storetest.NewRevocations("lost", 5)...)
	seen, page := l.page(""), l.page("?limit=2")
	come := storetest.NewRevocations("come", 7)
	l.store.Become(come...)
	now := l.page("?since=" + strconv.FormatInt(seen.Seq, 10))
	assert.Equal(t, come, now.Items)
	assert.NotEqual(t, seen.Seq, now.Seq)
	next := l.page("?limit=20&after=" + page.Next)
	assert.Equal(t, come, next.Items)
	assert.Equal(t, come, l.page("?since="+strconv.FormatInt(next.Seq, 10)).Items)
	r := l.get("/revoked-jtis?since="+strconv.FormatInt(seen.Seq, 10), "X-Fleet-Secret", listSecret, "If-None-Match", seen.etag)
	assert.Equal(t, 200, r.status)
}

func TestRevokedListRefusals(t *testing.T) {
	l := startListing(t)
	refused := func(query, detail string) {
		t.Helper()
		l.get("/revoked-jtis?"+query, "X-Fleet-Secret", listSecret).problem(t, 400, detail)
	}
	for _, value := range []string{"0", "-1", "x", "1.5"} {
		refused("limit="+value, "limit must be a whole number from 1 to 10000")
	}
	for _, value := range []string{"1", "x", "-", "1-", "-1", "1-0", "1-x", "1-2-3", "99999999999999999999-1", "-1-1"} {
		refused("after="+value, "after must be the next of a page")
	}
	refused("since=-1", "since must be a whole number that is not negative")
	refused("page=2", `unknown query parameter: "page"`)
	refused("since=1&since=2", "query parameter given twice: since")
}

// A list that breaks off half-way is not one that ends.
func TestRevokedListBrokenOff(t *testing.T) {
	l := startListing(t, storetest.NewRevocations("j", 2500)...)
	l.store.FailNextPage.Store(true)
	request, err := http.NewRequest(http.MethodGet, l.url+serverauth.Prefix+"/revoked-jtis", nil)
	require.NoError(t, err)
	request.Header.Set("X-Fleet-Secret", listSecret)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

// An item has of jti, sid, sub and kid what it hits.
func TestRevokedListItem(t *testing.T) {
	l := startListing(t, authstore.Revocation{SID: "s<>\"é", RevokedAt: 1, Reason: "r", RevokedBy: "b", Exp: 1 << 40})
	r := l.get("/revoked-jtis", "X-Fleet-Secret", listSecret)
	seq := strconv.FormatInt(l.page("").Seq, 10)
	assert.Equal(t, `{"items":[{"sid":"s\u003c\u003e\"é","revoked_at":1,"reason":"r","revoked_by":"b","exp":1099511627776}],"seq":`+seq+`}`, string(r.body))
	assert.Equal(t, "application/json", r.header.Get("Content-Type"))
	assert.Equal(t, "private, no-cache", r.header.Get("Cache-Control"))
}
