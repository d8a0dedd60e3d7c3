package serverauth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/picoauth/picoauth/serverauth/revocation"
	"github.com/picoauth/picoauth/serverauth/store"
)

// maxRevokedLimit is the maximum of the parameter `limit`. Without the parameter, the reply contains all items.
const maxRevokedLimit = 10_000

// revokedList serves the denylist to other services.
type revokedList struct {
	*parts
	store store.RevocationStore
}

// list is GET /revoked-jtis.
func (f *revokedList) list(c echo.Context) error {
	if err := f.guard.reader(c, ReadDenylist); err != nil {
		return err
	}
	query, err := readRevokedQuery(c)
	if err != nil {
		return err
	}
	w := newRevokedWriter(f.store, query)
	page, err := w.next(c.Request().Context())
	if err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderCacheControl, "private, no-cache")
	if notModified(c, `"`+strconv.FormatInt(w.at.seq, 10)+`"`) && query.after == (revokedPosition{}) {
		return c.NoContent(http.StatusNotModified)
	}
	c.Response().Header().Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	c.Response().WriteHeader(http.StatusOK)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	if err := w.write(c, page); err != nil {
		f.log.WarnContext(c.Request().Context(), "the reply with the denylist was cut off", "error", err)
		panic(http.ErrAbortHandler) // so that no client takes it for the whole list
	}
	return nil
}

// revokedQuery is the part of the denylist that a request asks for.
type revokedQuery struct {
	since int64
	limit int // math.MaxInt: all
	after revokedPosition
}

// revokedPosition is the content of `next` in a page: the seq of the first page, and the number of the last item.
type revokedPosition struct{ seq, number int64 }

func (p revokedPosition) String() string {
	return strconv.FormatInt(p.seq, 10) + "-" + strconv.FormatInt(p.number, 10)
}

func readRevokedQuery(c echo.Context) (q revokedQuery, err error) {
	values, err := queryParameters(c, "since", "limit", "after")
	if err != nil {
		return q, err
	}
	if q.since, err = sinceParameter(values.Get("since")); err != nil {
		return q, err
	}
	if q.limit, err = limitOf(values, math.MaxInt, maxRevokedLimit); err != nil {
		return q, err
	}
	if text := values.Get("after"); text != "" {
		q.after, err = parseRevokedPosition(text)
	}
	return q, err
}

func sinceParameter(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	since, err := strconv.ParseInt(text, 10, 64) // a number that is too large becomes the maximum
	if err != nil && !errors.Is(err, strconv.ErrRange) || since < 0 {
		return 0, invalidParameter("since must be a whole number that is not negative")
	}
	return since, nil
}

func parseRevokedPosition(text string) (p revokedPosition, err error) {
	seq, number, _ := strings.Cut(text, "-")
	if p.seq, err = strconv.ParseInt(seq, 10, 64); err == nil {
		p.number, err = strconv.ParseInt(number, 10, 64)
	}
	if err != nil || p.seq < 0 || p.number < 1 {
		return p, invalidParameter("after must be the next of a page")
	}
	return p, nil
}

// writeETag replies with a body, or with 304 if the client has it already.
func writeETag(c echo.Context, body []byte, etag, cacheControl string) error {
	c.Response().Header().Set(echo.HeaderCacheControl, cacheControl)
	if notModified(c, etag) {
		return c.NoContent(http.StatusNotModified)
	}
	return c.JSONBlob(http.StatusOK, body)
}

// notModified sets the ETag, and reports whether the client has the current version.
func notModified(c echo.Context, etag string) bool {
	c.Response().Header().Set("ETag", etag)
	held := c.Request().Header.Get("If-None-Match")
	return held != "" && matchesETag(held, etag)
}

// matchesETag is the weak comparison of RFC 9110, section 13.1.2.
func matchesETag(ifNoneMatch, etag string) bool {
	for candidate := range strings.SplitSeq(ifNoneMatch, ",") {
		candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
		if candidate == etag || candidate == "*" {
			return true
		}
	}
	return false
}

const (
	// revokedChunk is the number of bytes that are written at once.
	revokedChunk = 16 << 10
	// revokedChunkTimeout is the time that a client has to read them. It replaces the server's time-out for the whole reply.
	revokedChunkTimeout = 30 * time.Second
)

// revokedWriter writes a part of the denylist while it reads it from the store, so that a request does not need memory for the
// whole list.
type revokedWriter struct {
	store store.RevocationStore
	since int64
	left  int             // maximum number of items still to write
	at    revokedPosition // where the next page begins
	text  bytes.Buffer
	json  *json.Encoder // to text
}

func newRevokedWriter(store store.RevocationStore, query revokedQuery) *revokedWriter {
	w := &revokedWriter{store: store, since: query.since, left: query.limit, at: query.after}
	w.json = json.NewEncoder(&w.text)
	return w
}

// next reads the next page.
func (w *revokedWriter) next(ctx context.Context) (store.RevocationPage, error) {
	page, err := w.store.Since(ctx, w.since, w.at.number, min(revocation.Page, w.left))
	if err != nil {
		return page, err
	}
	if w.at.number == 0 || page.Full { // the first page, or the store begins the whole list again
		w.at.seq = page.Seq
	}
	w.at.number = page.Next
	w.left -= len(page.Items)
	return page, nil
}

// write writes the reply. page is the first page, which was read already.
func (w *revokedWriter) write(c echo.Context, page store.RevocationPage) error {
	w.text.WriteString(`{"items":[`)
	for separator := ""; ; {
		for i := range page.Items {
			w.text.WriteString(separator)
			separator = ","
			if err := w.json.Encode(&page.Items[i]); err != nil {
				return err
			}
			w.text.Truncate(w.text.Len() - 1) // its newline
		}
		if w.at.number == 0 || w.left == 0 {
			break
		}
		if err := w.flush(c); err != nil {
			return err
		}
		var err error
		if page, err = w.next(c.Request().Context()); err != nil {
			return err
		}
	}
	w.text.WriteString(`],"seq":` + strconv.FormatInt(w.at.seq, 10))
	if w.at.number != 0 {
		w.text.WriteString(`,"next":"` + w.at.String() + `"`)
	}
	w.text.WriteByte('}')
	return w.flush(c)
}

func (w *revokedWriter) flush(c echo.Context) error {
	connection := http.NewResponseController(c.Response())
	for chunk := range slices.Chunk(w.text.Bytes(), revokedChunk) {
		_ = connection.SetWriteDeadline(time.Now().Add(revokedChunkTimeout)) // fails without a connection, as in a test
		if _, err := c.Response().Write(chunk); err != nil {
			return err
		}
	}
	w.text.Reset()
	return nil
}
