package oauth

import (
	"slices"
	"strings"
	"unicode"
)

// statement is what a person reads in the wallet, and allows by signing: it names the client, its host and what it may do.
func (s *Server) statement(r *request) string {
	text := "Sign in to " + shownName(r) + " (" + r.client.Host(r.RedirectURI) + ")"
	if allowed := s.allowed(r); len(allowed) > 0 {
		text += ", which may: " + strings.Join(allowed, ", ")
	}
	return text + "."
}

// allowed says what a request is for, a text for each thing that its scopes allow.
func (s *Server) allowed(r *request) []string {
	var all []string
	for _, scope := range r.Scope {
		texts, _ := s.catalogue.describe(scope, r.Resources)
		all = append(all, texts...)
	}
	return all
}

// shownName is what the client calls itself. One that describes itself may not write what looks like the rest of the
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

// consent is what a person allowed a client, as the browser keeps it for the server.
type consent struct {
	Client    string   `json:"c"` // digest of the client_id
	RequestID string   `json:"r"` // by which it was allowed
	Scope     []string `json:"s"`
	Resources []string `json:"u,omitempty"`
}

// maxConsents bounds how many a browser keeps; the oldest go first.
const maxConsents = 12

func clientDigest(id string) string { return digest(id)[:22] }

// covers tells whether a request asks for no more than was allowed.
func (c consent) covers(r *request) bool {
	_, scope := narrowed(r.Scope, c.Scope)
	_, resources := narrowed(r.Resources, c.Resources)
	// without a resource the token is for the server's own audience, which is more than one for a resource
	return c.Client == clientDigest(r.ClientID) && scope && resources && (len(r.Resources) > 0) == (len(c.Resources) > 0)
}

// withConsent returns the consents with that of a request before the others. What was allowed before to the same client
// stays allowed, if it was for the same kind of audience.
func withConsent(all []consent, r *request) []consent {
	if r.Device != "" {
		return all // it was for that device
	}
	added := consent{Client: clientDigest(r.ClientID), RequestID: r.id, Scope: r.Scope, Resources: r.Resources}
	rest := slices.DeleteFunc(slices.Clone(all), func(c consent) bool {
		return c.Client == added.Client && (len(c.Resources) > 0) == (len(added.Resources) > 0) && subset(c.Scope, added.Scope) && subset(c.Resources, added.Resources)
	})
	rest = append([]consent{added}, rest...)
	return rest[:min(len(rest), maxConsents)]
}

func subset(some, all []string) bool {
	return !slices.ContainsFunc(some, func(one string) bool { return !slices.Contains(all, one) })
}
