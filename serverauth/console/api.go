package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/serverauth"
)

// api calls the HTTP API of the server in this process.
type api struct{ echo *echo.Echo }

// refusal is a reply that is not a success: a problem document (RFC 9457).
type refusal struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Hint   string `json:"hint"`
}

func (r *refusal) Error() string { return fmt.Sprintf("%d %s: %s", r.Status, r.Code, r.Detail) }

func isStatus(err error, status int) bool {
	refused := (*refusal)(nil)
	return errors.As(err, &refused) && refused.Status == status
}

// call sends a request to a path below the prefix, with the address and the proxy headers of the request of c. body and
// into may be nil. It returns a refusal for a status other than 2xx.
func (a api) call(c echo.Context, method, path, token string, body, into any) error {
	var content []byte
	if body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(c.Request().Context(), method, serverauth.Prefix+path, bytes.NewReader(content))
	if err != nil {
		return err
	}
	from := c.Request()
	request.Host, request.RemoteAddr, request.TLS, request.RequestURI = from.Host, from.RemoteAddr, from.TLS, request.URL.RequestURI()
	request.Header = from.Header.Clone()
	for _, name := range []string{"Cookie", "Origin", "Authorization", "Accept-Encoding", "Content-Length", "Content-Type", "If-None-Match", "Range"} {
		request.Header.Del(name)
	}
	if body != nil {
		request.Header.Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	}
	if token != "" {
		request.Header.Set(echo.HeaderAuthorization, "Bearer "+token)
	}
	reply := &recorder{header: make(http.Header), status: http.StatusOK}
	a.echo.ServeHTTP(reply, request)
	if reply.status < 200 || reply.status > 299 {
		refused := &refusal{}
		_ = json.Unmarshal(reply.body.Bytes(), refused) // a reply that is not a problem document has no detail
		refused.Status = reply.status
		return refused
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(reply.body.Bytes(), into)
}

// recorder is a ResponseWriter that keeps the reply in memory.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header               { return r.header }
func (r *recorder) WriteHeader(status int)            { r.status = status }
func (r *recorder) Write(content []byte) (int, error) { return r.body.Write(content) }
