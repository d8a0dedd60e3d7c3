package openapitest

import (
	"strconv"
	"strings"
)

// node is a place in a document.
type node struct {
	document *Document
	pointer  string // RFC 6901
	value    any
}

func (d *Document) node() node { return node{d, "", d.root} }

func (n node) exists() bool { return n.value != nil }

// object returns the members of an object, and none of anything else.
func (n node) object() map[string]any {
	members, _ := n.value.(map[string]any)
	return members
}

func (n node) text() string {
	text, _ := n.value.(string)
	return text
}

// at descends, and follows a reference wherever it comes to one. Where there is nothing, the node does not exist.
func (n node) at(names ...string) node {
	for _, name := range names {
		n = n.child(name).followed()
	}
	return n
}

func (n node) child(name string) node {
	pointer := n.pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
	switch value := n.value.(type) {
	case map[string]any:
		return node{n.document, pointer, value[name]}
	case []any:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(value) {
			return node{n.document, pointer, value[i]}
		}
	}
	return node{n.document, pointer, nil}
}

// followed is the place that a Reference Object points to. A schema's $ref is left to JSON Schema: it may have
// siblings.
func (n node) followed() node {
	reference, isReference := n.object()["$ref"].(string)
	if !isReference || len(n.object()) > 1 || strings.HasPrefix(reference, "#/components/schemas/") {
		return n
	}
	return n.document.resolve(reference)
}

// resolve returns the place of a reference into the document.
func (d *Document) resolve(reference string) node {
	n := d.node()
	pointer, inDocument := strings.CutPrefix(reference, "#/")
	if !inDocument {
		return node{d, reference, nil}
	}
	for name := range strings.SplitSeq(pointer, "/") {
		n = n.child(strings.NewReplacer("~1", "/", "~0", "~").Replace(name))
	}
	return n
}
