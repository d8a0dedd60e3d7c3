package problem_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/picoauth/picoauth/app/problem"
)

func TestEncodedIsWhatWriteWrites(t *testing.T) {
	own := problem.New(http.StatusServiceUnavailable, "busy", "come again")
	own.Header = http.Header{"Retry-After": {"1"}}
	encoded := problem.Encode(own)
	want, reply := httptest.NewRecorder(), httptest.NewRecorder()
	want.Header().Set("Content-Encoding", "gzip")
	reply.Header().Set("Content-Encoding", "gzip")
	problem.Write(want, httptest.NewRequest(http.MethodPost, "/", nil), own)

	own.Code, own.Header["Retry-After"][0] = "changed", "9"
	encoded.Write(reply)
	assert.Equal(t, want.Code, reply.Code)
	assert.Equal(t, http.Header{"Retry-After": {"1"}, "Cache-Control": {"no-store"}, "Content-Type": {problem.ContentType}}, reply.Header())
	assert.Equal(t, want.Body.String(), reply.Body.String())
	assert.Contains(t, reply.Body.String(), `"code":"busy"`)
}
