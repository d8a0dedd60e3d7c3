package oauth

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/oauth/client"
)

// The scopes of OpenID Connect, and ours.
const (
	scopeOpenID  = "openid"
	scopeProfile = "profile"
	scopeEmail   = "email"
	scopeGroups  = "groups"
	scopeWallet  = "wallet"
	scopeOffline = "offline_access"
)

// openIDScopes says what the scopes allow that every server knows. What follows "which may:" in a message is made of it.
var openIDScopes = map[string]string{
	scopeOpenID:  "",
	scopeProfile: "read your profile",
	scopeEmail:   "read your e-mail address",
	scopeGroups:  "read your groups",
	scopeWallet:  "read your wallet address",
	scopeOffline: "stay signed in",
}

const (
	// maxScope bounds the scope of a request in bytes.
	maxScope       = 1024
	maxDescription = 100 // characters
)

// described returns the scopes with their descriptions.
func (s Scopes) described() map[string]string {
	all := make(map[string]string)
	var collect func(prefix string, level map[string]any)
	collect = func(prefix string, level map[string]any) {
		for name, value := range level {
			switch value := value.(type) {
			case map[string]any:
				collect(prefix+name+".", value)
			case string:
				all[prefix+name] = value
			default:
				all[prefix+name] = "\n" // refused by validate
			}
		}
	}
	collect("", s)
	return all
}

func (s Scopes) validate(key string) error {
	for name, description := range s.described() {
		_, taken := openIDScopes[name]
		switch {
		case !isScope(name):
			return &app.ConfigError{Key: key, Reason: fmt.Sprintf("%q is not a name for a scope", name)}
		case taken:
			return &app.ConfigError{Key: key, Reason: fmt.Sprintf("%q is a scope that every server has", name)}
		case !isOneLine(description, maxDescription):
			return &app.ConfigError{Key: key + "." + name, Reason: "must be one line of text, of at most 100 characters"}
		}
	}
	return nil
}

// isScope goes by RFC 6749, section 3.3.
func isScope(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
}

func isOneLine(text string, most int) bool {
	return len([]rune(text)) <= most && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// scopes reads the scope of a request: each name once, in the order in which they were asked.
func splitScope(text string) []string {
	var names []string
	for name := range strings.SplitSeq(text, " ") {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// catalogue is what can be asked for.
type catalogue struct {
	scopes    map[string]string
	resources map[string]catalogueItem
	uris      []string
}

type catalogueItem struct {
	Resource
	scopes map[string]string
}

func newCatalogue(s Settings) *catalogue {
	c := &catalogue{scopes: s.Scopes.described(), resources: make(map[string]catalogueItem)}
	for name, description := range openIDScopes {
		c.scopes[name] = description
	}
	for _, resource := range s.Resources {
		c.resources[resource.URI] = catalogueItem{resource, resource.Scopes.described()}
		c.uris = append(c.uris, resource.URI)
	}
	return c
}

// names are all scopes, sorted.
func (c *catalogue) names() []string {
	var names []string
	for name := range c.scopes {
		names = append(names, name)
	}
	for _, resource := range c.resources {
		for name := range resource.scopes {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// describe says what a scope allows, as a person reads it: by the server, and by each of the resources, which may mean something
// else by the name. It reports false for a scope that none of them has.
func (c *catalogue) describe(scope string, resources []string) (texts []string, known bool) {
	add := func(scopes map[string]string) {
		text, has := scopes[scope]
		if has && text == "" && scope != scopeOpenID {
			text = "use " + scope
		}
		if known = known || has; text != "" && !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	add(c.scopes)
	for _, uri := range resources {
		add(c.resources[uri].scopes)
	}
	return texts, known
}

// scope reads the scope of a client's request for resources; without one it is the client's default.
func (c *catalogue) scope(asked string, of *client.Client, resources []string) ([]string, error) {
	names := of.DefaultScopes
	if asked != "" {
		names = splitScope(asked)
	}
	if len(asked) > maxScope {
		return nil, errInvalidScope("the scope is too long")
	}
	allowed := []string{}
	for _, name := range names {
		switch {
		case c.allowsScope(name, of, resources):
			allowed = append(allowed, name)
		case asked != "":
			return nil, errInvalidScope("the scope " + shorten(name) + " is unknown, or the client may not ask for it")
		}
	}
	return allowed, nil
}

// allowsScope tells whether a client may ask for a scope with some resources.
func (c *catalogue) allowsScope(scope string, of *client.Client, resources []string) bool {
	_, known := c.describe(scope, resources)
	return known && (of.AllowsScope(scope) || c.isOfOpenResource(scope, of, resources))
}

// isOfOpenResource tells whether a scope belongs to a resource that is asked for and the client may have it with the
// resource: who describes itself has no list of scopes that an operator wrote.
func (c *catalogue) isOfOpenResource(scope string, of *client.Client, resources []string) bool {
	if of.Source == client.Configured || of.Source == client.Stored {
		return false
	}
	return slices.ContainsFunc(resources, func(uri string) bool {
		_, has := c.resources[uri].scopes[scope]
		return has
	})
}

// targets checks the resources of a client's request.
func (c *catalogue) targets(asked []string, of *client.Client) ([]string, error) {
	resources := []string{}
	for _, uri := range asked {
		if !c.allowsResource(uri, of) {
			return nil, errInvalidTarget("the resource is unknown, or the client may not ask for it")
		}
		if !slices.Contains(resources, uri) {
			resources = append(resources, uri)
		}
	}
	return resources, nil
}

func (c *catalogue) allowsResource(uri string, of *client.Client) bool {
	resource, known := c.resources[uri]
	return known && (resource.Open || of.ListsResource(uri))
}

// still returns what of a grant its client may ask for now: the operator may have taken something away since then.
func (c *catalogue) still(scope, resources []string, of *client.Client) (stillScope, stillResources []string) {
	stillResources = slices.DeleteFunc(slices.Clone(resources), func(uri string) bool { return !c.allowsResource(uri, of) })
	stillScope = slices.DeleteFunc(slices.Clone(scope), func(name string) bool { return !c.allowsScope(name, of, stillResources) })
	return stillScope, stillResources
}

// narrowed returns what is asked of what was granted: all of it where nothing is asked, and false for what was not granted.
func narrowed(asked, granted []string) ([]string, bool) {
	if len(asked) == 0 {
		return granted, true
	}
	for _, one := range asked {
		if !slices.Contains(granted, one) {
			return nil, false
		}
	}
	return asked, true
}
