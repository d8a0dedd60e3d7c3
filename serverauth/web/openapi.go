package web

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// openAPI has the members of an OpenAPI document that the page shows, in the document's order.
type openAPI struct {
	Info struct {
		Title, Version, Description string
	} `json:"info"`
	Tags []struct {
		Name        string `json:"name"`
		Description string `json:"description"`
	} `json:"tags"`
	Paths      ordered[ordered[operation]] `json:"paths"`
	Components struct {
		Schemas    ordered[schema]      `json:"schemas"`
		Parameters map[string]parameter `json:"parameters"`
		Responses  map[string]response  `json:"responses"`
		Examples   map[string]exampleOf `json:"examples"`
	} `json:"components"`
}

type operation struct {
	Tags        []string              `json:"tags"`
	Summary     string                `json:"summary"`
	Description string                `json:"description"`
	Security    []map[string][]string `json:"security"`
	Parameters  []parameter           `json:"parameters"`
	RequestBody struct {
		Content ordered[media] `json:"content"`
	} `json:"requestBody"`
	Responses ordered[response] `json:"responses"`
}

type parameter struct {
	Ref         string `json:"$ref"`
	Name        string `json:"name"`
	In          string `json:"in"`
	Description string `json:"description"`
	Schema      schema `json:"schema"`
}

type response struct {
	Ref         string         `json:"$ref"`
	Description string         `json:"description"`
	Content     ordered[media] `json:"content"`
}

type media struct {
	Schema   schema             `json:"schema"`
	Examples ordered[exampleOf] `json:"examples"`
}

type exampleOf struct {
	Ref     string         `json:"$ref"`
	Summary string         `json:"summary"`
	Value   jsontext.Value `json:"value"`
}

type schema struct {
	Ref         string          `json:"$ref"`
	Type        jsontext.Value  `json:"type"`
	Format      string          `json:"format"`
	Description string          `json:"description"`
	Required    []string        `json:"required"`
	Properties  ordered[schema] `json:"properties"`
	Items       *schema         `json:"items"`
	Enum        []any           `json:"enum"`
}

// ordered is a JSON object whose members keep their order.
type ordered[T any] []entry[T]

type entry[T any] struct {
	Name  string
	Value T
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (o *ordered[T]) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	if _, err := decoder.ReadToken(); err != nil {
		return err
	}
	for decoder.PeekKind() != '}' {
		var e entry[T]
		if err := json.UnmarshalDecode(decoder, &e.Name); err != nil {
			return err
		}
		if err := json.UnmarshalDecode(decoder, &e.Value); err != nil {
			return err
		}
		*o = append(*o, e)
	}
	_, err := decoder.ReadToken()
	return err
}

func readOpenAPI(document []byte) (*openAPI, error) {
	api := new(openAPI)
	if err := json.Unmarshal(document, api, json.MatchCaseInsensitiveNames(true)); err != nil {
		return nil, err
	}
	for _, path := range api.Paths {
		for _, method := range path.Value {
			if err := api.resolve(method.Value); err != nil {
				return nil, fmt.Errorf("%s %s: %w", method.Name, path.Name, err)
			}
		}
	}
	return api, nil
}

// resolve replaces references to shared parameters, responses and examples by what they refer to.
func (a *openAPI) resolve(o operation) error {
	for i := range o.Parameters {
		if err := resolveRef(&o.Parameters[i], o.Parameters[i].Ref, a.Components.Parameters); err != nil {
			return err
		}
	}
	for i := range o.Responses {
		r := &o.Responses[i].Value
		if err := resolveRef(r, r.Ref, a.Components.Responses); err != nil {
			return err
		}
		if err := a.resolveExamples(r.Content); err != nil {
			return err
		}
	}
	return a.resolveExamples(o.RequestBody.Content)
}

func (a *openAPI) resolveExamples(content ordered[media]) error {
	for _, m := range content {
		for i := range m.Value.Examples {
			e := &m.Value.Examples[i].Value
			if err := resolveRef(e, e.Ref, a.Components.Examples); err != nil {
				return err
			}
		}
	}
	return nil
}

func resolveRef[T any](at *T, ref string, shared map[string]T) error {
	if ref == "" {
		return nil
	}
	found, known := shared[lastPart(ref)]
	if !known {
		return fmt.Errorf("%s does not exist", ref)
	}
	*at = found
	return nil
}

func lastPart(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }

// endpoint is an operation with its method and path.
type endpoint struct {
	Method, Path string
	operation
}

// ID returns the anchor of the endpoint in the page.
func (e endpoint) ID() string {
	return strings.Trim(strings.NewReplacer("/", "-", "{", "", "}", "", ".", "-").Replace(e.Method+e.Path), "-")
}

// Callers returns who may call the endpoint: its security schemes, or "anyone".
func (e endpoint) Callers() string {
	var names []string
	for _, way := range e.Security {
		names = slices.AppendSeq(names, maps.Keys(way))
	}
	return cmp.Or(strings.Join(names, " or "), "anyone")
}

// Of returns the endpoints of a tag.
func (a *openAPI) Of(tag string) (endpoints []endpoint) {
	for _, path := range a.Paths {
		for _, method := range path.Value {
			if len(method.Value.Tags) > 0 && method.Value.Tags[0] == tag {
				endpoints = append(endpoints, endpoint{strings.ToUpper(method.Name), path.Name, method.Value})
			}
		}
	}
	return endpoints
}

// Name returns the name of a referenced schema, or empty.
func (s schema) Name() string {
	if s.Ref == "" {
		return ""
	}
	return lastPart(s.Ref)
}

// Kind returns the type of a schema in words.
func (s schema) Kind() string {
	if s.Items != nil {
		return "list of " + cmp.Or(s.Items.Name(), s.Items.Kind())
	}
	kind := strings.NewReplacer(`"`, "", "[", "", "]", "", ",", " or ").Replace(string(s.Type))
	if s.Format != "" {
		kind += ", " + s.Format
	}
	return kind
}

// Requires reports whether a property must be present.
func (s schema) Requires(property string) bool {
	return slices.Contains(s.Required, property)
}

// example returns an example's JSON, indented.
func example(value jsontext.Value) (string, error) {
	indented := value.Clone()
	err := indented.Indent()
	return string(indented), err
}
