package openapitest

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// documentURL is the name under which schemas find one another. Nothing is ever fetched.
const documentURL = "test:openapi.json"

// Document is an OpenAPI 3.1 document. It is safe for concurrent use.
type Document struct {
	root       map[string]any
	operations []operation
	folders    []string // of documented paths, without a template, with a slash at the end

	mu       sync.Mutex
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema // by JSON pointer
}

// Operation names an operation of a document.
type Operation struct {
	Method string // in capitals
	Path   string // the template, such as /keys/{kid}
}

type operation struct {
	Operation
	segments []string
	node     node
}

// methods are those that a Path Item Object can have.
var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}

// Parse reads a document. It closes its objects, and checks no more than it needs: see [Document.Validate].
func Parse(document []byte) (*Document, error) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return nil, fmt.Errorf("openapitest: %w", err)
	}
	root, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("openapitest: the document is not a JSON object")
	}
	d := &Document{root: root, compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(documentURL, closed(root)); err != nil {
		return nil, fmt.Errorf("openapitest: %w", err)
	}
	d.readPaths()
	return d, nil
}

func (d *Document) readPaths() {
	paths := d.node().at("paths")
	for template := range paths.object() {
		if folder := path.Dir(template); folder != "/" && !strings.Contains(folder, "{") && !slices.Contains(d.folders, folder+"/") {
			d.folders = append(d.folders, folder+"/")
		}
		for _, method := range methods {
			if n := paths.at(template, method); n.exists() {
				d.operations = append(d.operations, operation{
					Operation{strings.ToUpper(method), template}, strings.Split(template, "/"), n,
				})
			}
		}
	}
}

// Operations returns what the document describes, in no order.
func (d *Document) Operations() []Operation {
	all := make([]Operation, 0, len(d.operations))
	for _, o := range d.operations {
		all = append(all, o.Operation)
	}
	return all
}

// find returns the operation that answers a request; a HEAD is answered by its GET. Of several templates the one with
// the fewest parameters wins, as OpenAPI has it.
func (d *Document) find(method, escapedPath string) (operation, bool) {
	segments := strings.Split(escapedPath, "/")
	best, found := operation{}, false
	for _, o := range d.operations {
		if (o.Method == method || method == "HEAD" && o.Method == "GET") && o.matches(segments) &&
			(!found || strings.Count(o.Path, "{") < strings.Count(best.Path, "{")) {
			best, found = o, true
		}
	}
	return best, found
}

func (o operation) matches(segments []string) bool {
	return slices.EqualFunc(o.segments, segments, func(template, segment string) bool {
		if strings.HasPrefix(template, "{") {
			return segment != ""
		}
		return template == segment
	})
}

// owns reports whether a path lies in a folder of the document, so that nothing but what it describes may be there.
func (d *Document) owns(escapedPath string) bool {
	return slices.ContainsFunc(d.folders, func(folder string) bool { return strings.HasPrefix(escapedPath, folder) })
}

// schema compiles the schema at a place of the document.
func (d *Document) schema(at node) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if known, ok := d.schemas[at.pointer]; ok {
		return known, nil
	}
	compiled, err := d.compiler.Compile(documentURL + (&url.URL{Fragment: at.pointer}).String())
	if err != nil {
		return nil, err
	}
	d.schemas[at.pointer] = compiled
	return compiled, nil
}

// closed is a copy in which every schema of an object refuses properties that it does not name.
func closed(value any) any {
	switch value := value.(type) {
	case []any:
		copied := make([]any, len(value))
		for i, item := range value {
			copied[i] = closed(item)
		}
		return copied
	case map[string]any:
		copied := make(map[string]any, len(value)+1)
		for name, item := range value {
			copied[name] = closed(item)
		}
		_, hasProperties := value["properties"].(map[string]any)
		if _, says := value["additionalProperties"]; value["type"] == "object" && hasProperties && !says {
			copied["additionalProperties"] = false
		}
		return copied
	default:
		return value
	}
}
