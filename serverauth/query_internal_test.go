package serverauth

import (
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func contextOf(query string) echo.Context {
	request := httptest.NewRequest("GET", "/", nil)
	request.URL.RawQuery = query
	return echo.New().NewContext(request, httptest.NewRecorder())
}

func TestQueryParameters(t *testing.T) {
	for _, test := range []struct{ query, refusal string }{
		{"", ""},
		{"sub=a%26b&limit=3", ""},
		{"sub=a&sub=b", "query parameter given twice: sub"},
		{"sub=a&Sub=b", `unknown query parameter: "Sub"`},
		{"subject=%00%0a", `unknown query parameter: "subject"`},
		{"%0a", `unknown query parameter: "\n"`},
		{"sub=%zz", "the query cannot be read"},
		{"sub=a;limit=3", "the query cannot be read"},
	} {
		t.Run(test.query, func(t *testing.T) {
			values, err := queryParameters(contextOf(test.query), "sub", "limit")
			if test.refusal != "" {
				problem := problemOf(err)
				require.NotNil(t, problem)
				assert.Equal(t, 400, problem.Status)
				assert.Equal(t, test.refusal, problem.Detail)
				return
			}
			require.NoError(t, err)
			want, err := url.ParseQuery(test.query)
			require.NoError(t, err)
			assert.Equal(t, want, values)
		})
	}
}

func TestPageLimit(t *testing.T) {
	for text, want := range map[string]int{
		"": 200, "1": 1, "1000": 1000, "1001": 1000, "5000": 1000, "99999999999999999999999": 1000,
		"0": 0, "-1": 0, "1.5": 0, "x": 0, "+5": 0, " 5": 0,
	} {
		limit, err := pageLimit(url.Values{"limit": {text}})
		assert.Equal(t, want, limit, text)
		assert.Equal(t, want == 0, err != nil, text)
	}
}

func FuzzQueryParameters(f *testing.F) {
	f.Add("sub=a&limit=3")
	f.Add("%zz;&&==")
	f.Fuzz(func(t *testing.T, query string) {
		values, err := queryParameters(contextOf(query), "sub", "limit")
		if err != nil {
			assert.Equal(t, 400, problemOf(err).Status)
			return
		}
		limit, err := pageLimit(values)
		assert.True(t, err != nil || limit >= 1 && limit <= maxPageLimit)
	})
}
