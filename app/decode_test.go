package app_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/picoauth/picoauth/app"
)

type signIn struct {
	Address  string    `json:"address"`
	TTL      int       `json:"ttl"`
	Remember bool      `json:"remember"`
	Roles    []string  `json:"roles"`
	Limit    float64   `json:"limit"`
	Device   device    `json:"device"`
	At       time.Time `json:"at"`
}

type device struct {
	Name string `json:"name"`
}

func decode(contentType string, body io.Reader, dst any) error {
	r := httptest.NewRequest(http.MethodPost, "/", body)
	r.Header.Set("Content-Type", contentType)
	return app.DecodeJSON(httptest.NewRecorder(), r, dst)
}

func TestDecodeJSONAccepts(t *testing.T) {
	tests := map[string]struct {
		body string
		want signIn
	}{
		"all kinds": {`{"address":"a","ttl":60,"remember":true,"roles":["x"],"limit":0.5,"device":{"name":"d"}}`,
			signIn{Address: "a", TTL: 60, Remember: true, Roles: []string{"x"}, Limit: 0.5, Device: device{"d"}}},
		"unknown fields":                {`{"address":"a","new":{"deep":[1,2]}}`, signIn{Address: "a"}},
		"an empty object":               {`{}`, signIn{}},
		"white space around":            {" \n\t{ \"ttl\" : 1 }\r\n ", signIn{TTL: 1}},
		"null leaves a field out":       {`{"address":null,"ttl":2}`, signIn{TTL: 2}},
		"another case is unknown":       {`{"address":"a","ADDRESS":"b","Ttl":3}`, signIn{Address: "a"}},
		"a folded letter is unknown":    {`{"addreſs":"b"}`, signIn{}},
		"an escaped name is that name":  {`{"\u0061ddress":"a"}`, signIn{Address: "a"}},
		"an unknown field of any type":  {`{"x":null,"y":1e999,"address":"a"}`, signIn{Address: "a"}},
		"a name that needs escaping":    {`{"a\"b":1,"address":"a"}`, signIn{Address: "a"}},
		"escapes":                       {`{"address":"\n\t\r\b\f\"\\\/x"}`, signIn{Address: "\n\t\r\b\f\"\\/x"}},
		"escapes by number":             {`{"address":"\u00e9\ud83d\ude00"}`, signIn{Address: "é😀"}},
		"a name with an escape by name": {`{"a\u0064dress":"a"}`, signIn{Address: "a"}},
		"null for a number":             {`{"ttl":null}`, signIn{}},
		"a negative number":             {`{"ttl":-0}`, signIn{}},
		"many fields":                   {`{` + manyFields(100) + `,"address":"a"}`, signIn{Address: "a"}},
		"names of a nested object too":  {`{"device":{"NAME":"d"}}`, signIn{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got signIn
			if err := decode("application/json", strings.NewReader(test.body), &got); err != nil {
				t.Fatalf("refused: %v", err)
			}
			wantJSON, _ := json.Marshal(test.want)
			gotJSON, _ := json.Marshal(got)
			if string(wantJSON) != string(gotJSON) {
				t.Errorf("got %s, want %s", gotJSON, wantJSON)
			}
		})
	}
}

func TestDecodeJSONRefuses(t *testing.T) {
	tests := map[string]struct {
		body   string
		status int
		detail string
	}{
		"nothing":              {"", 400, "request body is empty"},
		"white space":          {" \n ", 400, "request body is empty"},
		"truncated":            {`{"address":"a"`, 400, "request body ends before its JSON object does"},
		"truncated value":      {`{"address":"a`, 400, "request body ends before its JSON object does"},
		"truncated after name": {`{"address"`, 400, "request body ends before its JSON object does"},
		"brace only":           {`{`, 400, "request body ends before its JSON object does"},
		"trailing object":      {`{} {}`, 400, "request body has data after its JSON object"},
		"trailing letter":      {`{}x`, 400, "request body has data after its JSON object"},
		"trailing brace":       {`{}}`, 400, "request body has data after its JSON object"},
		"null":                 {`null`, 400, "request body must be a JSON object"},
		"list":                 {`[{}]`, 400, "request body must be a JSON object"},
		"text":                 {`"a"`, 400, "request body must be a JSON object"},
		"number":               {`1`, 400, "request body must be a JSON object"},
		"lone surrogate":       {`{"address":"\ud800"}`, 400, "request body is not valid JSON"},
		"duplicate, inside":    {`{"x":{"y":1,"y":2}}`, 400, `field "y" is given twice`},
		"no JSON":              {`address=a`, 400, "request body is not valid JSON"},
		"byte order mark":      {"\ufeff{}", 400, "request body is not valid JSON"},
		"comma at the end":     {`{"ttl":1,}`, 400, "request body is not valid JSON"},
		"comma missing":        {`{"ttl":1 "limit":2}`, 400, "request body is not valid JSON"},
		"single quotes":        {`{'ttl':1}`, 400, "request body is not valid JSON"},
		"number as a name":     {`{1:1}`, 400, "request body is not valid JSON"},
		"wrong closing":        {`{"ttl":1]`, 400, "request body is not valid JSON"},
		"not UTF-8":            {"{\"address\":\"\xff\"}", 400, "request body is not valid UTF-8"},
		"duplicate":            {`{"address":"a","address":"b"}`, 400, `field "address" is given twice`},
		"duplicate, escaped":   {`{"address":"a","\u0061ddress":"b"}`, 400, `field "address" is given twice`},
		"duplicate, unknown":   {`{"x":1,"x":1}`, 400, `field "x" is given twice`},
		"duplicate, long":      {`{"` + strings.Repeat("é", 99) + `":1,"` + strings.Repeat("é", 99) + `":1}`, 400, `field "` + strings.Repeat("é", 32) + `…" is given twice`},
		"duplicate among many": {`{` + manyFields(100) + `,"x50":1}`, 400, `field "x50" is given twice`},
		"unknown escape":       {`{"address":"\x"}`, 400, "request body is not valid JSON"},
		"escape without end":   {`{"address":"\`, 400, "request body ends before its JSON object does"},
		"short escape":         {`{"address":"\u12"}`, 400, "request body is not valid JSON"},
		"control character":    {"{\"address\":\"" + strings.Repeat("a", 40) + "\x1f\"}", 400, "request body is not valid JSON"},
		"control, escaped too": {"{\"address\":\"\\n\x1f\"}", 400, "request body is not valid JSON"},
		"control in a name":    {"{\"\n\":1}", 400, "request body is not valid JSON"},
		"number with zeros":    {`{"ttl":007}`, 400, "request body is not valid JSON"},
		"number with a plus":   {`{"ttl":+7}`, 400, "request body is not valid JSON"},
		"too small a number":   {`{"ttl":-9223372036854775809}`, 400, "field ttl must be a whole number within range"},
		"deep nesting":         {`{"x":` + strings.Repeat("[", 30000) + strings.Repeat("]", 30000) + `}`, 400, "request body is not valid JSON"},
		"deep and truncated":   {`{"x":` + strings.Repeat(`{"x":`, 9000), 400, "request body ends before its JSON object does"},
		"number for text":      {`{"address":12}`, 400, "field address must be a string"},
		"list for text":        {`{"address":["a"]}`, 400, "field address must be a string"},
		"object for text":      {`{"address":{}}`, 400, "field address must be a string"},
		"text for number":      {`{"ttl":"60"}`, 400, "field ttl must be a whole number within range"},
		"fraction":             {`{"ttl":1.5}`, 400, "field ttl must be a whole number within range"},
		"huge number":          {`{"ttl":1e999}`, 400, "field ttl must be a whole number within range"},
		"huge float":           {`{"limit":1e999}`, 400, "field limit must be a number"},
		"text for boolean":     {`{"remember":"true"}`, 400, "field remember must be true or false"},
		"text for list":        {`{"roles":"x"}`, 400, "field roles must be a list"},
		"number in list":       {`{"roles":["x",1]}`, 400, "field roles.1 must be a string"},
		"text for object":      {`{"device":"x"}`, 400, "field device must be an object"},
		"inside an object":     {`{"device":{"name":1}}`, 400, "field device.name must be a string"},
		"a time that is none":  {`{"at":"secret"}`, 400, "field at has an invalid value"},
		"too large":            {`{"address":"` + strings.Repeat("a", app.MaxJSONBody) + `"}`, 413, "request body is larger than 65536 bytes"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			wantProblem(t, decode("application/json", strings.NewReader(test.body), new(signIn)), test.status, test.detail)
		})
	}
}

// manyFields are members of other names, x0, x1, …
func manyFields(number int) string {
	fields := make([]string, number)
	for i := range fields {
		fields[i] = fmt.Sprintf(`"x%d":[%d]`, i, i)
	}
	return strings.Join(fields, ",")
}

func TestDecodeJSONBodyLimit(t *testing.T) {
	body := func(size int) string {
		const frame = `{"address":""}`
		return `{"address":"` + strings.Repeat("a", size-len(frame)) + `"}`
	}
	if err := decode("application/json", strings.NewReader(body(app.MaxJSONBody)), new(signIn)); err != nil {
		t.Errorf("a body of the largest size: %v", err)
	}
	// OneByteReader hides the length, as a chunked request does.
	chunked := iotest.OneByteReader(strings.NewReader(body(app.MaxJSONBody + 1)))
	wantProblem(t, decode("application/json", chunked, new(signIn)), 413, "request body is larger than 65536 bytes")
	lost := io.MultiReader(strings.NewReader(`{"address":`), iotest.ErrReader(io.ErrUnexpectedEOF))
	wantProblem(t, decode("application/json", lost, new(signIn)), 400, "request body could not be read to its end")
	wantProblem(t, decode("application/json", nil, new(signIn)), 400, "request body is empty")
}

func TestDecodeJSONContentType(t *testing.T) {
	tests := map[string]bool{
		"application/json":                   true,
		"Application/JSON":                   true,
		"application/json; charset=utf-8":    true,
		"application/json;charset=\"UTF-8\"": true,
		"":                                   false,
		"text/plain":                         false,
		"text/json":                          false,
		"application/x-www-form-urlencoded":  false,
		"application/jsonp":                  false,
		"application/json, text/plain":       false,
		"application/json; charset=utf-16":   false,
		"application/json; charset":          false,
	}
	for contentType, accepted := range tests {
		t.Run(contentType, func(t *testing.T) {
			err := decode(contentType, strings.NewReader(`{}`), new(signIn))
			if accepted && err != nil {
				t.Fatal(err)
			}
			if !accepted {
				wantProblem(t, err, 415, "Content-Type must be application/json")
			}
		})
	}
}

func TestDecodeJSONTargetThatCannotBeSet(t *testing.T) {
	for _, target := range []any{signIn{}, nil, (*signIn)(nil), new(chan int)} {
		err := decode("application/json", strings.NewReader(`{}`), target)
		var problem *app.Problem
		if err == nil || errors.As(err, &problem) {
			t.Errorf("%T: a mistake of the program must not be the client's: %v", target, err)
		}
	}
}

func TestDecodeObject(t *testing.T) {
	type claims struct {
		Subject string `json:"sub"`
		Counter uint64 `json:"cnt"`
		Small   uint8  `json:"small"`
		hidden  string
	}
	var got claims
	if err := app.DecodeObject([]byte(`{"sub":"a","cnt":18446744073709551615,"small":255,"hidden":"x"}`), &got); err != nil ||
		got != (claims{"a", 1<<64 - 1, 255, ""}) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, text := range []string{``, `[]`, `{"sub":"a","sub":"b"}`, `{"cnt":-1}`, `{"small":256}`, "{\"sub\":\"\xff\"}"} {
		if err := app.DecodeObject([]byte(text), new(claims)); err == nil {
			t.Errorf("%s was accepted", text)
		}
	}
}

func FuzzDecodeJSON(f *testing.F) {
	for _, seed := range []string{`{}`, `{"address":"a","ttl":60}`, `{"address":"a","ADDRESS":"b"}`, `{"a":1,"a":2}`,
		`{"x":[[[[`, `{"x":[{"a":"}\""},1],"y":"\\"}`, `{"x" : "\ud800\"" , "y":tru}`, `null`, `{} x`, `{"device":{"name":1}}`, "{\"\xff\":1}", `{"ttl":1e400}`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got signIn
		err := decode("application/json", strings.NewReader(string(body)), &got)
		if err != nil {
			var problem *app.Problem
			if !errors.As(err, &problem) || problem.Status < 400 || problem.Status >= 500 {
				t.Fatalf("%q: not the client's fault: %v", body, err)
			}
			isObject := bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte{'{'}) && jsontext.Value(body).IsValid()
			if isObject && len(body) <= app.MaxJSONBody && (problem.Code == "invalid_json" || problem.Code == "trailing_data" || problem.Code == "body_empty") {
				t.Fatalf("%q: an object, but %v", body, err)
			}
			return
		}
		// What passed is one object for encoding/json too, and address is the field so spelled.
		var object map[string]json.RawMessage
		if err := json.Unmarshal(body, &object); err != nil {
			t.Fatalf("%q: accepted, but %v", body, err)
		}
		var address string
		if raw, given := object["address"]; given {
			if err := json.Unmarshal(raw, &address); err != nil {
				t.Fatalf("%q: accepted, but %v", body, err)
			}
		}
		if got.Address != address {
			t.Fatalf("%q: address is %q, want %q", body, got.Address, address)
		}
	})
}

func wantProblem(t *testing.T, err error, status int, detail string) {
	t.Helper()
	var problem *app.Problem
	if !errors.As(err, &problem) {
		t.Fatalf("got %v, want a problem", err)
	}
	if problem.Status != status || problem.Detail != detail {
		t.Errorf("got %d %q, want %d %q", problem.Status, problem.Detail, status, detail)
	}
	if problem.Code == "" || problem.Title != http.StatusText(status) || problem.Type != "about:blank" {
		t.Errorf("incomplete problem: %+v", problem)
	}
}

func TestAnOptionalBodyMayBeLeftOut(t *testing.T) {
	for name, test := range map[string]struct {
		body        io.Reader
		contentType string
		want        string
		status      int
	}{
		"none":                               {http.NoBody, "", "kept", 0},
		"empty, of unknown length":           {io.MultiReader(), "", "kept", 0},
		"an object":                          {strings.NewReader(`{"address":"a"}`), "application/json", "a", 0},
		"an object of unknown length":        {io.MultiReader(strings.NewReader(`{"address":"a"}`)), "application/json", "a", 0},
		"an object without its content type": {io.MultiReader(strings.NewReader(`{"address":"a"}`)), "", "kept", 415},
		"white space":                        {io.MultiReader(strings.NewReader(" ")), "application/json", "kept", 400},
		"broken off":                         {io.MultiReader(iotest.ErrReader(io.ErrUnexpectedEOF)), "application/json", "kept", 400},
		"too much":                           {io.MultiReader(strings.NewReader(strings.Repeat(" ", app.MaxJSONBody+1))), "application/json", "kept", 413},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/", test.body)
			r.Header.Set("Content-Type", test.contentType)
			got := signIn{Address: "kept"}
			err := app.DecodeOptionalJSON(httptest.NewRecorder(), r, &got)
			status := 0
			var problem *app.Problem
			if errors.As(err, &problem) {
				status = problem.Status
			} else if err != nil {
				t.Fatal(err)
			}
			if status != test.status || got.Address != test.want {
				t.Errorf("status %d, %q", status, got.Address)
			}
		})
	}
}
