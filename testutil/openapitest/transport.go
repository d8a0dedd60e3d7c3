package openapitest

import (
	"bytes"
	"io"
	"net/http"
	"testing"
)

// ValidateReplies returns a transport that fails the test for each reply that is not as the document says; a reply is
// passed on all the same, and paths that the document knows nothing about are not looked at. A nil base is
// [http.DefaultTransport]. A document that cannot be read fails the test at once.
func ValidateReplies(tb testing.TB, base http.RoundTripper, document []byte) http.RoundTripper {
	tb.Helper()
	parsed, err := Parse(document)
	if err != nil {
		tb.Fatal(err)
	}
	return parsed.Transport(tb, base)
}

// Transport is [ValidateReplies] with a document that is read already, for tests that have many clients.
func (d *Document) Transport(tb testing.TB, base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{tb, base, d}
}

type transport struct {
	tb       testing.TB
	base     http.RoundTripper
	document *Document
}

// RoundTrip implements http.RoundTripper. It reads the whole body before it returns.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	t.tb.Helper()
	reply, err := t.base.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(reply.Body)
	if closeErr := reply.Body.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, err
	}
	reply.Body = io.NopCloser(bytes.NewReader(body))
	if err := t.document.CheckReply(request, reply, body); err != nil {
		t.tb.Errorf("%s %s: the reply with status %d is not as documented: %v\nits body: %.2000s",
			request.Method, request.URL.Path, reply.StatusCode, err, body)
	}
	return reply, nil
}
