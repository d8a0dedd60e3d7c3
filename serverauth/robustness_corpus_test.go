package serverauth_test

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
)

// absent leaves a field out.
const absent = ""

// brokenValues are JSON values that no field expects, or that only look like what it expects.
func brokenValues() []string {
	values := []string{
		absent, `null`, `true`, `false`, `0`, `-1`, `1.5`, `1e400`, `123456789012345678901234567890`, `[]`, `{}`, `["a"]`,
		`{"a":{"b":[]}}`, deep('[', ']', 9_000), deep('[', ']', 20_000), deep('{', '}', 3_000), `"\ud800"`, `"\u0000"`,
	}
	for _, text := range []string{
		"", " ", "0x", "0X", "x", "zz", "abc", "0xabc", "\n", "\r\n", "\t", "\x7f", "é", "\u202e", "😀", "%00", "../../etc/passwd",
		"' OR '1'='1", "${jndi:ldap://x}", "<script>", "none", "HS256", "ed25519", "ML-DSA-66", "base64", "base58", "hex ", "localhost:8100",
		"http://localhost:8100", "user@localhost:8100", "localhost:8100/", "eip155:", "eip155:0", "eip155:01", "eip155:2", ":1", "solana:mainnet",
		"a@b", "1e3", "true", "null", "a.b.c", "..", "e30.e30.e30", strings.Repeat("a", 64), strings.Repeat("ab", 32), strings.Repeat("0", 63),
		strings.Repeat("f", 65), strings.Repeat("00", 32), strings.Repeat("ff", 64), "04" + strings.Repeat("00", 64), "02" + strings.Repeat("ff", 32),
		"0x" + strings.Repeat("aB", 20), "0x" + strings.Repeat("ab", 20), "0X" + strings.Repeat("ab", 20), strings.Repeat("1", 32), strings.Repeat("1", 44),
		strings.Repeat("z", 44), strings.Repeat("a", 8192), strings.Repeat("a", 8193), strings.Repeat("ab", 1952), strings.Repeat("f", 60_000),
		strings.Repeat("z", 60_000), strings.Repeat("\n", 9_000), strings.Repeat("é", 20_000),
	} {
		quoted, _ := json.Marshal(text) // a string always encodes
		values = append(values, string(quoted))
	}
	return values
}

func deep(open, shut byte, depth int) string {
	if open == '{' {
		return strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth)
	}
	return strings.Repeat(string(open), depth) + strings.Repeat(string(shut), depth)
}

// rawObject writes an object of JSON texts, which need not be valid.
func rawObject(fields map[string]string) []byte {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if fields[name] != absent {
			parts = append(parts, strconv.Quote(name)+":"+fields[name])
		}
	}
	return []byte("{" + strings.Join(parts, ",") + "}")
}

func rawFields(t testing.TB, object map[string]any) map[string]string {
	fields := map[string]string{}
	for name, value := range object {
		fields[name] = string(encode(t, value))
	}
	return fields
}

// optionalFields are those that an endpoint knows beside the ones of a whole request.
var optionalFields = map[string][]string{
	"/sign-in": {"message", "signed_message", "encoding", "public_key"}, "/fleet/sessions": {"scope"},
}

// brokenFields puts broken values in the place of every field, one at a time, and then in several at once.
func brokenFields(t testing.TB, e endpoint, random *rand.Rand) []broken {
	values := brokenValues()
	names := slices.Sorted(maps.Keys(e.whole()))
	for _, name := range optionalFields[e.path] {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	var requests []broken
	body := func() map[string]string { return rawFields(t, e.whole()) }
	for _, name := range names {
		for _, value := range values {
			if (len(value) > 1000 || e.slow) && random.IntN(5) > 0 {
				continue
			}
			fields := body()
			fields[name] = value
			requests = append(requests, e.request(name, rawObject(fields)))
		}
	}
	for range 60 {
		fields := body()
		for range 1 + random.IntN(3) {
			fields[names[random.IntN(len(names))]] = values[random.IntN(len(values))]
		}
		requests = append(requests, e.request("several fields", rawObject(fields)))
	}
	for range 20 { // hex that differs in a character, and a character more or less
		fields := body()
		name := names[random.IntN(len(names))]
		if text := fields[name]; len(text) > 20 {
			at := 1 + random.IntN(len(text)-2)
			fields[name] = text[:at] + string("0123456789abcdefgz-"[random.IntN(19)]) + text[at+random.IntN(2):]
		}
		requests = append(requests, e.request("a character of "+name, rawObject(fields)))
	}
	return requests
}

// brokenBody is a body or a content type that every endpoint answers alike.
type brokenBody struct {
	name, contentType string
	body              []byte
	chunked           bool
	status            int
	detail            string // empty: any
}

func (b brokenBody) of(e endpoint) broken {
	r := e.request(b.name, b.body)
	r.chunked = b.chunked
	r.header = append([]string{"Content-Type", b.contentType}, e.header...)
	if b.contentType == "" {
		r.header = e.header
	}
	return r
}

func brokenBodies(whole []byte, random *rand.Rand) []brokenBody {
	const json = "application/json"
	tooLarge := "request body is larger than 65536 bytes"
	padded := func(size int) []byte {
		return append(slices.Clone(whole), []byte(strings.Repeat(" ", size-len(whole)))...)
	}
	bodies := []brokenBody{
		{"empty", json, nil, false, 400, "request body is empty"},
		{"blank", json, []byte(" \n\t"), false, 400, "request body is empty"},
		{"list", json, []byte(`[{}]`), false, 400, "request body must be a JSON object"},
		{"text", json, []byte(`"{}"`), false, 400, "request body must be a JSON object"},
		{"number", json, []byte(`1`), false, 400, "request body must be a JSON object"},
		{"null", json, []byte(`null`), false, 400, "request body must be a JSON object"},
		{"no JSON", json, []byte(`address=ab`), false, 400, "request body is not valid JSON"},
		{"single quotes", json, []byte(`{'address':'ab'}`), false, 400, "request body is not valid JSON"},
		{"comma at the end", json, append(slices.Clone(whole[:len(whole)-1]), ",}"...), false, 400, "request body is not valid JSON"},
		{"comment", json, append([]byte("//x\n"), whole...), false, 400, "request body is not valid JSON"},
		{"byte order mark", json, append([]byte("\xef\xbb\xbf"), whole...), false, 400, "request body is not valid JSON"},
		{"UTF-16", json, []byte("\xff\xfe{\x00}\x00"), false, 400, "request body is not valid UTF-8"},
		{"Latin-1", json, []byte("{\"a\":\"\xe9\"}"), false, 400, "request body is not valid UTF-8"},
		{"surrogate in UTF-8", json, []byte("{\"a\":\"\xed\xa0\x80\"}"), false, 400, "request body is not valid UTF-8"},
		{"control character in a text", json, []byte("{\"a\":\"\n\"}"), false, 400, "request body is not valid JSON"},
		{"field twice", json, append([]byte(`{"x":1,"x":1,`), whole[1:]...), false, 400, `field "x" is given twice`},
		{"field twice, once escaped", json, []byte(`{"addres\u0073":"a","address":"b"}`), false, 400, `field "address" is given twice`},
		{"another object", json, append(slices.Clone(whole), "{}"...), false, 400, "request body has data after its JSON object"},
		{"a letter more", json, append(slices.Clone(whole), 'x'), false, 400, "request body has data after its JSON object"},
		{"a zero more", json, append(slices.Clone(whole), 0), false, 400, "request body has data after its JSON object"},
		{"too deep", json, []byte(`{"x":` + deep('[', ']', 20_000) + `}`), false, 400, "request body is not valid JSON"},
		{"a byte too many", json, padded(app.MaxJSONBody + 1), false, 413, tooLarge},
		{"a byte too many, in chunks", json, padded(app.MaxJSONBody + 1), true, 413, tooLarge},
		{"two MiB", json, []byte(strings.Repeat("[", 2<<20)), true, 413, tooLarge},
		{"two MiB that say so", json, []byte(strings.Repeat("[", 2<<20)), false, 413, ""},
	}
	for _, contentType := range []string{
		"", "text/plain", "text/json", "application/jsonx", "application/problem+json", "multipart/form-data; boundary=x", "application/xml",
		"application/json; charset=latin1", "application/json; charset", "application/json, application/json", "application/json;;", ";", "json", "*/*",
		"application/json\x00", "application/cbor",
	} {
		bodies = append(bodies, brokenBody{"content type " + contentType, contentType, whole, false, 415, "Content-Type must be application/json"})
	}
	for range 30 {
		cut := 1 + random.IntN(len(whole)-1)
		bodies = append(bodies, brokenBody{"cut after " + strconv.Itoa(cut), json, whole[:cut], random.IntN(2) == 0, 400, "request body ends before its JSON object does"})
	}
	for range 30 { // a byte that cannot be in UTF-8, anywhere
		flipped := slices.Clone(whole)
		flipped[random.IntN(len(flipped))] = 0xff
		bodies = append(bodies, brokenBody{"invalid UTF-8", json, flipped, false, 400, "request body is not valid UTF-8"})
	}
	return bodies
}

var everyPath = []string{
	"/jwks", "/challenge", "/sign-in", "/login", "/refresh", "/logout", "/fleet/sessions", "/revoke", "/keys", "/keys/rotate",
	"/keys/x/compromised", "/revoked-jtis", "/mints", "/introspect", "/openapi.json", "/docs",
}

// brokenPaths combine methods and ways to write a path, with and without credentials.
func brokenPaths(s *target) []broken {
	var requests []broken
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "PROPFIND", "A", strings.Repeat("M", 5000)} {
		for _, path := range everyPath {
			for _, form := range []string{
				path, path + "/", "/" + path, path + "%00", path + "%2f", path + "/..", path + "/%2e%2e/login", path + ";x=1", strings.ToUpper(path),
				path + "?" + strings.Repeat("a=b&", 2000), path + "?%zz=%", path + "/" + strings.Repeat("x/", 3000), path + "%ff%fe", path + "#x",
			} {
				if method == "POST" && (form == "/keys/rotate" || form == "/keys/x/compromised") {
					continue // these are meant
				}
				r := broken{name: method, method: method, path: serverauth.Prefix + form, body: []byte("{}"), header: []string{"Content-Type", "application/json"}}
				requests = append(requests, r)
				r.header = append(r.header, bearer(s.admin)...)
				requests = append(requests, r)
			}
		}
	}
	for _, path := range []string{"/", "/*", "//", "/%2e%2e", "/.well-known/", "/.well-known/openid-configuration/x", "/healthz/x", "/api", "http://evil.example/api/v1/auth/jwks", "*"} {
		requests = append(requests, broken{name: "path", method: "GET", path: path}, broken{name: "path", method: "GET", path: path, header: bearer(s.admin)})
	}
	for _, kid := range []string{"%00", "%2f", "..", "%2e%2e%2f", strings.Repeat("k", 9000), "%ff", "*", ":kid", " ", "%0d%0aX-A:b"} {
		requests = append(requests, broken{name: "kid", method: "POST", path: serverauth.Prefix + "/keys/" + kid + "/compromised", header: bearer(s.admin)})
	}
	return requests
}

// brokenQueries are for the endpoints that read one.
func brokenQueries(s *target) []broken {
	var requests []broken
	for path, name := range map[string]string{"/jwks": "kty", "/revoked-jtis": "since", "/mints": "limit"} {
		for _, value := range []string{
			"", "0", "-1", "1.5", "1e3", "x", "%00", "%zz", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "99999999999999999999999", "+1", "%2b1",
			"0x10", "1_000", "%D9%A1", ",", ",,,,", "RSA", "rsa", "RSA,RSA", "oct", strings.Repeat("RSA,", 5000), "1&" + name + "=2", "1;" + name + "=2",
		} {
			requests = append(requests, broken{name: path, method: "GET", path: serverauth.Prefix + path + "?" + name + "=" + value, header: bearer(s.admin)})
		}
		for _, etag := range []string{"*", `"`, `W/`, `W/"`, ",", strings.Repeat(`"a",`, 5000), "\x00", `"é"`} {
			requests = append(requests, broken{name: path, method: "GET", path: serverauth.Prefix + path, header: append(bearer(s.admin), "If-None-Match", etag)})
		}
	}
	return requests
}

// brokenHeaders try credentials and whatever else of a header the server looks at.
func brokenHeaders(s *target) []broken {
	var requests []broken
	tokens := []string{
		"", " ", ".", "..", "...", "a", "a.b.c", "e30.e30.", "e30.e30.e30", "eyJhbGciOiJub25lIn0.e30.", strings.Repeat("a", 60_000), strings.Repeat(".", 9000),
		s.admin + "x", s.admin + ".", s.admin[:len(s.admin)-1], s.admin + " " + s.admin, s.admin + "," + s.admin, "\x00", "é", strings.Replace(s.admin, ".", ". ", 1), strings.ToUpper(s.admin),
	}
	for _, path := range everyPath {
		method := http.MethodPost
		if slices.Contains([]string{"/jwks", "/keys", "/revoked-jtis", "/mints", "/openapi.json", "/docs"}, path) {
			method = http.MethodGet
		}
		add := func(header ...string) {
			requests = append(requests, broken{name: path, method: method, path: serverauth.Prefix + path, body: []byte("{}"),
				header: append([]string{"Content-Type", "application/json"}, header...)})
		}
		for _, token := range tokens {
			for _, scheme := range []string{"Bearer ", "bearer ", "Bearer\t", "Basic ", "DPoP ", ""} {
				add("Authorization", scheme+token)
			}
			add("X-Fleet-Secret", token)
			add("Authorization", "Bearer x", "Authorization", "Bearer "+token)
		}
		for _, name := range []string{
			"Origin", "Host", "X-Forwarded-For", "X-Real-Ip", "X-Forwarded-Proto", "X-Request-Id", "Accept", "Accept-Encoding", "Content-Encoding", "Content-Length",
			"Transfer-Encoding", "Expect", "Range", "If-Match", "Cookie", "X-Http-Method-Override", "Access-Control-Request-Method", "Upgrade", "Forwarded", "Te",
		} {
			for _, value := range []string{"", "\x00", "é", "*", "null", "-1", "https://evil.example", "127.0.0.1, x, ::1", "a\r\nb: c", strings.Repeat("a,", 9000)} {
				add(name, value)
			}
		}
		add("Origin", "https://evil.example", "Access-Control-Request-Method", "POST")
	}
	return requests
}
