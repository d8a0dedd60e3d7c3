package serverauth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
)

// revokedList is the denylist as other services read it.
type revokedList struct {
	guard *guard
	store RevocationStore
}

type revokedListReply struct {
	Items []Revocation `json:"items"`
	Seq   int64        `json:"seq"`
}

// list is GET /revoked-jtis.
func (f *revokedList) list(c echo.Context) error {
	if err := f.guard.reader(c); err != nil {
		return err
	}
	since, err := sinceParameter(c)
	if err != nil {
		return err
	}
	page, err := f.store.Since(c.Request().Context(), since)
	if err != nil {
		return err
	}
	body, err := json.Marshal(revokedListReply{Items: page.Items, Seq: page.Seq})
	if err != nil {
		return err
	}
	return writeTagged(c, body, "private, no-cache")
}

func sinceParameter(c echo.Context) (int64, error) {
	text := c.QueryParam("since")
	if text == "" {
		return 0, nil
	}
	since, err := strconv.ParseInt(text, 10, 64) // the largest there is for what is larger
	if err != nil && !errors.Is(err, strconv.ErrRange) || since < 0 {
		return 0, app.NewProblem(http.StatusBadRequest, "invalid_parameter", "since must be a whole number that is not negative")
	}
	return since, nil
}

// writeTagged answers with a body whose ETag is its own hash, or with 304 to whom has it already.
func writeTagged(c echo.Context, body []byte, cacheControl string) error {
	sum := sha256.Sum256(body)
	return writeETag(c, body, `"`+base64.RawURLEncoding.EncodeToString(sum[:16])+`"`, cacheControl)
}

func writeETag(c echo.Context, body []byte, etag, cacheControl string) error {
	header := c.Response().Header()
	header.Set("ETag", etag)
	header.Set(echo.HeaderCacheControl, cacheControl)
	if held := c.Request().Header.Get("If-None-Match"); held != "" && matchesETag(held, etag) {
		return c.NoContent(http.StatusNotModified)
	}
	return c.JSONBlob(http.StatusOK, body)
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
