package apidocs

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/swaggest/swgui/v5/static"
)

const pageName = "page.html"

//go:embed page.html page.css page.js
var own embed.FS

// contentTypes by extension: not taken from the machine, whose tables differ.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
}

// file is a part of the page, as it is and compressed.
type file struct {
	name        string
	plain       []byte
	gzipped     []byte
	fingerprint string
}

// readFiles returns the page's own files and those of Swagger UI that it uses.
func readFiles() ([]*file, error) {
	var files []*file
	for _, name := range []string{pageName, "page.css", "page.js"} {
		plain, err := fs.ReadFile(own, name)
		if err != nil {
			return nil, fmt.Errorf("apidocs: %w", err)
		}
		files = append(files, newFile(name, plain, nil))
	}
	for _, name := range []string{"swagger-ui.css", "swagger-ui-bundle.js"} {
		gzipped, err := fs.ReadFile(static.FS, name+".gz")
		if err != nil {
			return nil, fmt.Errorf("apidocs: Swagger UI: %w", err)
		}
		files = append(files, newFile(name, nil, gzipped))
	}
	return files, nil
}

func newFile(name string, plain, gzipped []byte) *file {
	sum := sha256.Sum256(append(plain[:len(plain):len(plain)], gzipped...))
	return &file{name: name, plain: plain, gzipped: gzipped, fingerprint: base64.RawURLEncoding.EncodeToString(sum[:16])}
}

// serve answers GET and HEAD, with 304 to whom has the file already.
func (f *file) serve(c echo.Context) error {
	header := c.Response().Header()
	header.Set(echo.HeaderContentType, contentTypes[path.Ext(f.name)])
	header.Set(echo.HeaderCacheControl, "public, no-cache")
	header.Set(echo.HeaderContentSecurityPolicy, contentSecurityPolicy)
	header.Set(echo.HeaderXContentTypeOptions, "nosniff")
	header.Set(echo.HeaderReferrerPolicy, "no-referrer")
	header.Add(echo.HeaderVary, echo.HeaderAcceptEncoding)
	content, encoding := f.plain, ""
	if content == nil && acceptsGzip(c.Request()) {
		content, encoding = f.gzipped, "gzip"
		header.Set(echo.HeaderContentEncoding, encoding)
	}
	if content == nil { // a client that cannot unpack: rare enough to do it for each
		var err error
		if content, err = unpack(f.gzipped); err != nil {
			return fmt.Errorf("apidocs: %s: %w", f.name, err)
		}
	}
	header.Set("ETag", `"`+f.fingerprint+encoding+`"`)
	for _, condition := range []string{"Range", "If-Range", "If-Match", "If-Unmodified-Since"} {
		c.Request().Header.Del(condition) // the whole file, or 304: nothing that could fail
	}
	http.ServeContent(c.Response(), c.Request(), "", time.Time{}, bytes.NewReader(content))
	return nil
}

// acceptsGzip reads Accept-Encoding (RFC 9110, section 12.5.3) as far as clients use it: a weight other than 0 counts
// as 1.
func acceptsGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(r.Header.Get(echo.HeaderAcceptEncoding), ",") {
		name, parameter, _ := strings.Cut(coding, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			weight, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(parameter), "q="), 64)
			return err != nil || weight > 0
		}
	}
	return false
}

func unpack(gzipped []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(gzipped))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(reader)
}
