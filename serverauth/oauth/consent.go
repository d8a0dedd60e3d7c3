package oauth

import (
	"slices"
	"strings"
	"unicode"
)

// statement is the text that a person reads in the wallet and signs: it names the client, its host and what it may do.
func (s *Server) statement(r *request) string {
	text := "Sign in to " + shownName(r) + " (" + r.client.Host(r.RedirectURI) + ")"
	if allowed := s.allowed(r); len(allowed) > 0 {
		text += ", which may: " + strings.Join(allowed, ", ")
	}
	return text + "."
}

// allowed returns a text for each thing that the scopes of a request allow.
func (s *Server) allowed(r *request) []string {
	var all []string
	for _, scope := range r.Scope {
		texts, _ := s.catalogue.describe(scope, r.Resources)
		all = append(all, texts...)
	}
	return all
}

// shownName is the client's name as people see it. If the client describes itself, the name must not look like the rest of the
// sentence.
func shownName(r *request) string {
	name := r.client.Name
	if r.client.DescribesItself() {
		name = strings.Map(func(char rune) rune {
			if unicode.IsLetter(char) || unicode.IsDigit(char) || strings.ContainsRune(" -_.'&+", char) {
				return char
			}
			return -1
		}, name)
		if runes := []rune(name); len(runes) > 40 {
			name = string(runes[:40])
		}
	}
	if name = strings.Join(strings.Fields(name), " "); name != "" {
		return name
	}
	return r.client.Host(r.RedirectURI)
}

// consent is what a person allowed a client. It is in the cookie of the browser.
type consent struct {
	Client    string   `json:"c"` // digest of the client_id
	RequestID string   `json:"r"` // in which it was allowed
	Scope     []string `json:"s"`
	Resources []string `json:"u,omitempty"`
}

// maxConsents is the maximum number of consents in a cookie; the oldest are removed first.
const maxConsents = 12

func clientDigest(id string) string { return digest(id)[:22] }

// covers reports whether a request asks for no more than was allowed.
func (c consent) covers(r *request) bool {
	// without a resource the token is for the server's own audience, which allows more than a resource
	return c.Client == clientDigest(r.ClientID) && subset(r.Scope, c.Scope) && subset(r.Resources, c.Resources) &&
		(len(r.Resources) > 0) == (len(c.Resources) > 0)
}

// withConsent returns the consents with that of a request before the others. It replaces those that it includes, of the same client
// and for the same kind of audience.
func withConsent(all []consent, r *request) []consent {
	if r.Device != "" {
		return all // the consent was for that device
	}
	added := consent{Client: clientDigest(r.ClientID), RequestID: r.id, Scope: r.Scope, Resources: r.Resources}
	rest := slices.DeleteFunc(slices.Clone(all), func(c consent) bool {
		return c.Client == added.Client && (len(c.Resources) > 0) == (len(added.Resources) > 0) && subset(c.Scope, added.Scope) && subset(c.Resources, added.Resources)
	})
	rest = append([]consent{added}, rest...)
	return rest[:min(len(rest), maxConsents)]
}
