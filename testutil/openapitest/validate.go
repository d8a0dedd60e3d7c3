package openapitest

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// openAPISchema is the OpenAPI Initiative's schema of OpenAPI 3.1 documents.
//
//go:embed schema/openapi-3.1.json
var openAPISchema []byte

// jsonSchema is the schema of Schema Objects, which openAPISchema leaves open.
const jsonSchema = "https://json-schema.org/draft/2020-12/schema"

// Validate reports everything that is wrong with the document: where it is not OpenAPI 3.1 (by the schema of the OpenAPI
// Initiative and that of JSON Schema 2020-12), references that lead nowhere, examples and defaults that their schemas
// do not allow, and what those schemas cannot say: operation ids that are not unique, undescribed path parameters, tags
// and security schemes that do not exist, components that nothing uses.
func (d *Document) Validate() error {
	if err := d.checkForm(); err != nil {
		return err
	}
	w := &walker{document: d, referenced: map[string]bool{}}
	w.visit(d.node())
	w.checkOperations()
	w.checkComponents()
	return errors.Join(w.errors...)
}

func (d *Document) checkForm() error {
	const name = "test:openapi-3.1"
	var openAPI map[string]any
	if err := json.Unmarshal(openAPISchema, &openAPI); err != nil {
		return err
	}
	definitions, ok := openAPI["$defs"].(map[string]any)
	if !ok {
		return errors.New("openapitest: the schema of OpenAPI documents has no $defs")
	}
	definitions["schema"] = map[string]any{"$ref": jsonSchema}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(name, openAPI); err != nil {
		return err
	}
	schema, err := compiler.Compile(name)
	if err != nil {
		return err
	}
	if err := schema.Validate(d.root); err != nil {
		return fmt.Errorf("openapitest: not an OpenAPI 3.1 document: %w", err)
	}
	return nil
}

// walker goes through a whole document and collects what is wrong.
type walker struct {
	document   *Document
	referenced map[string]bool // JSON pointers
	errors     []error
}

func (w *walker) fail(at node, format string, args ...any) {
	w.errors = append(w.errors, fmt.Errorf("openapitest: %s: "+format, append([]any{at.pointer}, args...)...))
}

func (w *walker) visit(n node) {
	switch value := n.value.(type) {
	case []any:
		for i := range value {
			w.visit(n.child(strconv.Itoa(i)))
		}
	case map[string]any:
		w.visitObject(n)
		for _, name := range slices.Sorted(maps.Keys(value)) {
			if name != "value" && name != "example" && name != "default" { // data, not OpenAPI
				w.visit(n.child(name))
			}
		}
	}
}

func (w *walker) visitObject(n node) {
	if reference, ok := n.value.(map[string]any)["$ref"].(string); ok {
		target := w.document.resolve(reference)
		w.referenced[target.pointer] = true
		if !target.exists() {
			w.fail(n, "reference to %s leads nowhere", reference)
		}
	}
	if schema := n.child("schema"); schema.exists() { // a parameter, a header or a media type
		w.checkExample(schema, n.child("example"))
		for name := range n.at("examples").object() {
			w.checkExample(schema, n.at("examples", name, "value"))
		}
	}
	w.checkExample(n, n.child("default"))
	if examples, isSchema := n.value.(map[string]any)["examples"].([]any); isSchema {
		for i := range examples {
			w.checkExample(n, n.child("examples").child(strconv.Itoa(i)))
		}
	}
}

func (w *walker) checkExample(schema, example node) {
	if !example.exists() {
		return
	}
	if err := schema.check(example.value); err != nil {
		w.fail(example, "not as its schema says: %w", err)
	}
}

func (w *walker) checkOperations() {
	ids, root := map[string]bool{}, w.document.node()
	tags := map[string]bool{}
	if all, ok := root.at("tags").value.([]any); ok {
		for i := range all {
			tags[root.at("tags", strconv.Itoa(i), "name").text()] = true
		}
	}
	for _, o := range w.document.operations {
		id := o.node.at("operationId").text()
		if id == "" || ids[id] {
			w.fail(o.node, "operation id %q is empty or not unique", id)
		}
		ids[id] = true
		w.checkPathParameters(o)
		for _, tag := range list(o.node.at("tags")) {
			if !tags[tag.text()] {
				w.fail(o.node, "tag %q is not described", tag.text())
			}
		}
		for _, requirement := range list(o.node.at("security")) {
			for scheme := range requirement.object() {
				w.referenced["/components/securitySchemes/"+scheme] = true
				if !root.at("components", "securitySchemes", scheme).exists() {
					w.fail(o.node, "there is no security scheme %q", scheme)
				}
			}
		}
	}
}

func (w *walker) checkPathParameters(o operation) {
	described := map[string]bool{}
	for _, parameter := range list(o.node.at("parameters")) {
		if parameter.at("in").text() == "path" {
			described["{"+parameter.at("name").text()+"}"] = true
		}
	}
	for _, segment := range o.segments {
		if strings.HasPrefix(segment, "{") && !described[segment] {
			w.fail(o.node, "path parameter %s is not described", segment)
		}
	}
}

func (w *walker) checkComponents() {
	components := w.document.node().child("components")
	for kind := range components.object() {
		for name := range components.child(kind).object() {
			if component := components.child(kind).child(name); !w.referenced[component.pointer] {
				w.fail(component, "nothing uses it")
			}
		}
	}
}

// list returns the items of an array, references followed.
func list(n node) []node {
	items, _ := n.value.([]any)
	nodes := make([]node, len(items))
	for i := range items {
		nodes[i] = n.at(strconv.Itoa(i))
	}
	return nodes
}
