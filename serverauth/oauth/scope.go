package oauth

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/serverauth/oauth/client"
)

// The scopes of OpenID Connect, and of this server.
const (
	scopeOpenID  = "openid"
	scopeProfile = "profile"
	scopeEmail   = "email"
	scopeGroups  = "groups"
	scopeWallet  = "wallet"
	scopeOffline = "offline_access"
)

// openIDScopes describes the scopes that every server has. The texts follow "which may:" in a message.
var openIDScopes = map[string]string{
	scopeOpenID:  "",
	scopeProfile: "read your profile",
	scopeEmail:   "read your e-mail address",
	scopeGroups:  "read your groups",
	scopeWallet:  "read your wallet address",
	scopeOffline: "stay signed in",
}

const (
	// maxScope is the maximum length of a request's scope in bytes.
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
			return &config.Error{Key: key, Reason: fmt.Sprintf("%q is not a valid name for a scope", name)}
		case taken:
			return &config.Error{Key: key, Reason: fmt.Sprintf("%q is a built-in scope; it cannot be defined here", name)}
		case !isOneLine(description, maxDescription):
			return &config.Error{Key: key + "." + name, Reason: "must be one line of text, of at most 100 characters"}
		}
	}
	return nil
}

// isScope checks a scope-token of RFC 6749, section 3.3.
func isScope(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
}

func isOneLine(text string, most int) bool {
	return len([]rune(text)) <= most && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// splitScope returns the names in the scope of a request without duplicates, in their order.
func splitScope(text string) []string {
	var names []string
	for name := range strings.SplitSeq(text, " ") {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// catalogue has all scopes and resources.
type catalogue struct {
	scopes    map[string]string
	resources map[string]catalogueItem
}

type catalogueItem struct {
	Resource
	scopes map[string]string
}

func newCatalogue(s Settings) *catalogue {
	c := &catalogue{scopes: s.Scopes.described(), resources: make(map[string]catalogueItem)}
	maps.Copy(c.scopes, openIDScopes)
	for _, resource := range s.Resources {
		c.resources[resource.URI] = catalogueItem{resource, resource.Scopes.described()}
	}
	return c
}

// names returns all scopes, sorted.
func (c *catalogue) names() []string {
	names := slices.Collect(maps.Keys(c.scopes))
	for _, resource := range c.resources {
		names = slices.AppendSeq(names, maps.Keys(resource.scopes))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// describe returns what a scope allows, for people: at the server, and at each of the resources, where the same name may mean
// something else. It reports false for a scope that none of them has.
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

// grant returns scope and resources of a client's request for tokens about a person.
func (c *catalogue) grant(form url.Values, of *client.Client) (scope, resources []string, err error) {
	if resources, err = c.targets(form, of); err != nil {
		return nil, nil, err
	}
	if scope, err = c.scope(form.Get("scope"), of, resources); err != nil {
		return nil, nil, err
	}
	if len(resources) > maxResources || len(joined(resources))+len(joined(scope)) > maxGrant {
		return nil, nil, errInvalidTarget("too many resources and scopes at once")
	}
	return scope, resources, nil
}

// scope returns the scope of a client's request for resources, or the client's default if the request has none.
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

// allowsScope reports whether a client may ask for a scope with some resources.
func (c *catalogue) allowsScope(scope string, of *client.Client, resources []string) bool {
	_, known := c.describe(scope, resources)
	return known && (slices.Contains(of.Scopes, scope) || c.isOfOpenResource(scope, of, resources))
}

// isOfOpenResource reports whether a scope belongs to a requested resource, for clients that describe themselves: no operator has
// listed scopes for them.
func (c *catalogue) isOfOpenResource(scope string, of *client.Client, resources []string) bool {
	if of.Source == client.Configured || of.Source == client.Stored {
		return false
	}
	return slices.ContainsFunc(resources, func(uri string) bool {
		_, has := c.resources[uri].scopes[scope]
		return has
	})
}

// targets checks and returns the resources of a client's request.
func (c *catalogue) targets(form url.Values, of *client.Client) ([]string, error) {
	resources := []string{}
	for _, uri := range nonEmpty(form["resource"]) {
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
	return known && (resource.Open || slices.Contains(of.Resources, uri))
}

// still returns the part of a grant that its client may still ask for. The operator may have removed a right since then.
func (c *catalogue) still(scope, resources []string, of *client.Client) (stillScope, stillResources []string) {
	stillResources = slices.DeleteFunc(slices.Clone(resources), func(uri string) bool { return !c.allowsResource(uri, of) })
	stillScope = slices.DeleteFunc(slices.Clone(scope), func(name string) bool { return !c.allowsScope(name, of, stillResources) })
	return stillScope, stillResources
}

// narrowed returns the requested part of what was granted, or all of it if nothing is requested. It reports false if something was
// not granted.
func narrowed(asked, granted []string) ([]string, bool) {
	if len(asked) == 0 {
		return granted, true
	}
	return asked, subset(asked, granted)
}

func subset(some, all []string) bool {
	return !slices.ContainsFunc(some, func(one string) bool { return !slices.Contains(all, one) })
}
