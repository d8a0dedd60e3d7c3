package openapitest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil/openapitest"
)

// recordingTB is a test that notes its failures instead of failing.
type recordingTB struct {
	testing.TB
	failures []string
}

func (r *recordingTB) Helper() {}
func (r *recordingTB) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func TestValidateReplies(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = io.WriteString(w, `{"name":"`+r.URL.Query().Get("name")+`","age":7}`)
	}))
	defer server.Close()
	tb := &recordingTB{TB: t}
	client := &http.Client{Transport: openapitest.ValidateReplies(tb, nil, []byte(pets(t)))}

	reply, err := client.Get(server.URL + "/v1/pets/7?name=Tom")
	require.NoError(t, err)
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	require.NoError(t, err)
	assert.Equal(t, `{"name":"Tom","age":7}`, string(body), "the reply is passed on")
	require.Len(t, tb.failures, 1)
	assert.Contains(t, tb.failures[0], "GET /v1/pets/7: the reply with status 200 is not as documented")
	assert.Contains(t, tb.failures[0], "age")
}

func TestValidateRepliesPassesErrorsOn(t *testing.T) {
	client := &http.Client{Transport: openapitest.ValidateReplies(t, nil, []byte(pets(t)))}
	_, err := client.Get("http://127.0.0.1:1/v1/pets/7")
	assert.Error(t, err)
}
