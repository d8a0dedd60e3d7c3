package workload_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/serverauth/oauth/workload"
)

type object = map[string]any

// section stands for the section of which the list is a part.
type section struct {
	Workloads []workload.Config `koanf:"workloads"`
}

const api = "https://api.example.com"

func (s section) Validate() error {
	return workload.Check("workloads", s.Workloads, []string{api, "urn:example:team@notes", "urn:example:us@notes"}, func(resources []string) []string {
		if len(resources) > 0 {
			return []string{"read", "write"}
		}
		return []string{"read"}
	})
}

// load returns the list that the items are.
func load(t testing.TB, items ...object) ([]workload.Config, error) {
	t.Helper()
	k := koanf.New(".")
	list := make([]any, len(items))
	for i, item := range items {
		list[i] = item
	}
	require.NoError(t, k.Load(confmap.Provider(object{"oauth": object{"workloads": list}}, ""), nil))
	s, err := config.Section(k, "oauth", section{})
	return s.Workloads, err
}

// item is one that works, with changes; a nil value takes a key away.
func item(changes object) object {
	all := object{"issuer": "https://kubernetes.example.com", "audience": "https://auth.example.com", "subject": "system:serviceaccount:payments:*", "client": "biller"}
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	return all
}

// faults returns the keys of all faults.
func faults(err error) (keys []string) {
	var one *config.Error
	var many interface{ Unwrap() []error }
	switch {
	case errors.As(err, &many):
		for _, err := range many.Unwrap() {
			keys = append(keys, faults(err)...)
		}
	case errors.As(err, &one):
		keys = append(keys, one.Key)
	}
	return keys
}

func TestWhatCannotWorkIsRefusedWithItsKey(t *testing.T) {
	const at = "oauth.workloads[0]."
	for name, c := range map[string]struct {
		changes object
		keys    []string
	}{
		"the least":                     {nil, nil},
		"discovery":                     {object{"discovery": true}, nil},
		"all":                           {object{"jwks_url": "https://kubernetes.example.com/openid/v1/jwks", "audience": []string{"a", "b"}, "claims": object{"kubernetes.io": object{"namespace": "payments"}, "n": 1, "b": true}, "sub": "billing", "role": "robot", "scope": "read write", "resources": []string{api}}, nil},
		"scopes as a list":              {object{"scope": []string{"read"}}, nil},
		"keys on loopback":              {object{"jwks_url": "http://127.0.0.1:1/keys"}, nil},
		"a name that is no URL":         {object{"issuer": "cluster-1", "jwks_url": "https://keys.example.com"}, nil},
		"no issuer":                     {object{"issuer": nil}, []string{at + "issuer"}},
		"an issuer without keys":        {object{"issuer": "cluster-1"}, []string{at + "issuer"}},
		"an issuer with a space":        {object{"issuer": "https://a.example.com b", "jwks_url": "https://keys.example.com"}, []string{at + "issuer"}},
		"an issuer by http":             {object{"issuer": "http://kubernetes.example.com"}, []string{at + "issuer"}},
		"keys by http":                  {object{"jwks_url": "http://keys.example.com"}, []string{at + "jwks_url"}},
		"keys with a password":          {object{"jwks_url": "https://a:b@keys.example.com"}, []string{at + "jwks_url"}},
		"keys in a file":                {object{"jwks_url": "file:///etc/passwd"}, []string{at + "jwks_url"}},
		"keys twice":                    {object{"jwks_url": "https://keys.example.com", "discovery": true}, []string{at + "jwks_url"}},
		"no audience":                   {object{"audience": nil}, []string{at + "audience"}},
		"an empty audience":             {object{"audience": []string{"a", ""}}, []string{at + "audience[1]"}},
		"no subject":                    {object{"subject": nil}, []string{at + "subject"}},
		"a subject with a line break":   {object{"subject": "a\n"}, []string{at + "subject"}},
		"a claim that is a list":        {object{"claims": object{"a.b": []string{"c"}}}, []string{at + "claims.a.b"}},
		"claims that are a text":        {object{"claims": "a=b"}, []string{at + "claims"}},
		"no client":                     {object{"client": nil}, []string{at + "client"}},
		"a client that is none":         {object{"client": "ä"}, []string{at + "client"}},
		"a long client":                 {object{"client": strings.Repeat("a", 256)}, []string{at + "client"}},
		"two roles":                     {object{"role": "robot,admin"}, []string{at + "role"}},
		"white space around the role":   {object{"role": " admin"}, []string{at + "role"}},
		"a scope of nobody":             {object{"scope": "root"}, []string{at + "scope"}},
		"a scope of a person":           {object{"scope": "openid"}, []string{at + "scope"}},
		"a scope twice":                 {object{"scope": "read read"}, []string{at + "scope"}},
		"a scope without its resource":  {object{"scope": "write"}, []string{at + "scope"}},
		"a resource of nobody":          {object{"resources": []string{"https://other.example.com"}}, []string{at + "resources[0]"}},
		"resources with an @":           {object{"resources": []string{"urn:example:team@notes", "urn:example:us@notes"}}, nil},
		"a resource twice":              {object{"resources": []string{api, api}}, []string{at + "resources[1]"}},
		"a key that does not exist":     {object{"secret": "x"}, []string{at + "secret"}},
		"everything at once, each once": {object{"issuer": nil, "audience": nil, "subject": nil, "client": nil}, []string{at + "issuer", at + "audience", at + "subject", at + "client"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, item(c.changes))
			assert.ElementsMatch(t, c.keys, faults(err), "%v", err)
			if err != nil {
				assert.NotContains(t, err.Error(), "a:b@")
			}
		})
	}
}

func TestItemsOfOneIssuerHaveOneSourceOfKeys(t *testing.T) {
	_, err := load(t, item(nil), item(object{"subject": "other"}), item(object{"issuer": "https://other.example.com"}))
	require.NoError(t, err)
	_, err = load(t, item(nil), item(object{"jwks_url": "https://another-cluster.example.com/keys"}))
	assert.Equal(t, []string{"oauth.workloads[1].jwks_url"}, faults(err))
	_, err = load(t, item(nil), item(object{"ca_file": "/etc/ca.pem"}))
	assert.Equal(t, []string{"oauth.workloads[1].ca_file"}, faults(err))
	many := make([]object, 1001)
	for i := range many {
		many[i] = item(nil)
	}
	_, err = load(t, many...)
	assert.Equal(t, []string{"oauth.workloads"}, faults(err))
}
