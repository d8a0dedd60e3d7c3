package openapitest

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// CheckReply reports how a reply differs from what the document says about its request; nil for a path that the
// document knows nothing about. body is the reply's whole body.
func (d *Document) CheckReply(request *http.Request, reply *http.Response, body []byte) error {
	escapedPath := request.URL.EscapedPath()
	operation, found := d.find(request.Method, escapedPath)
	if !found {
		return d.checkUnknown(request.Method, escapedPath, reply.StatusCode)
	}
	response := operation.node.at("responses", strconv.Itoa(reply.StatusCode))
	if !response.exists() {
		return errors.New("the status is not documented")
	}
	if request.Method == http.MethodHead {
		return errors.Join(checkHeaders(response, reply.Header), checkMediaType(response, reply.Header))
	}
	return errors.Join(checkHeaders(response, reply.Header), checkBody(response, reply.Header, body))
}

// checkUnknown is for what the document does not describe: inside its folders nothing is there.
func (d *Document) checkUnknown(method, escapedPath string, status int) error {
	absent := []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusMethodNotAllowed}
	if !d.owns(escapedPath) || slices.Contains(absent, status) || method == http.MethodOptions && status == http.StatusNoContent {
		return nil
	}
	return errors.New("the operation is not documented")
}

func checkHeaders(response node, header http.Header) error {
	var all []error
	for name := range response.at("headers").object() {
		described := response.at("headers", name)
		values := header.Values(name)
		switch {
		case len(values) > 0:
			if err := described.at("schema").check(headerValue(described, strings.Join(values, ", "))); err != nil {
				all = append(all, fmt.Errorf("header %s: %w", name, err))
			}
		case described.at("required").value == true:
			all = append(all, fmt.Errorf("header %s: required and absent", name))
		}
	}
	return errors.Join(all...)
}

// headerValue is the text of a header as a value of its schema's type.
func headerValue(header node, text string) any {
	if header.at("schema", "type").text() == "integer" {
		if number, err := strconv.ParseInt(text, 10, 64); err == nil {
			return number
		}
	}
	return text
}

func checkMediaType(response node, header http.Header) error {
	if !response.at("content").exists() {
		return nil
	}
	_, _, err := describedContent(response, header)
	return err
}

// describedContent returns the media type of a reply and what the document says of it.
func describedContent(response node, header http.Header) (described node, mediaType string, err error) {
	mediaType, _, err = mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return node{}, "", fmt.Errorf("content type %q: %w", header.Get("Content-Type"), err)
	}
	described = response.at("content", mediaType)
	if !described.exists() {
		return node{}, "", fmt.Errorf("content type %s is not documented", mediaType)
	}
	return described, mediaType, nil
}

func checkBody(response node, header http.Header, body []byte) error {
	if !response.at("content").exists() {
		if len(body) > 0 {
			return fmt.Errorf("there is a body of %d bytes where none is documented", len(body))
		}
		return nil
	}
	described, mediaType, err := describedContent(response, header)
	if err != nil {
		return err
	}
	var value any = string(body)
	if mediaType == "application/json" || strings.HasSuffix(mediaType, "+json") {
		if value, err = jsonschema.UnmarshalJSON(bytes.NewReader(body)); err != nil {
			return fmt.Errorf("body: %w", err)
		}
	}
	if err := described.at("schema").check(value); err != nil {
		return fmt.Errorf("body: %w", err)
	}
	return nil
}

// check validates a value by the schema at this place; by none, anything is valid.
func (n node) check(value any) error {
	if !n.exists() {
		return nil
	}
	schema, err := n.document.schema(n)
	if err != nil {
		return err
	}
	return schema.Validate(value)
}
