// Package openapitest holds the replies of an HTTP server against its OpenAPI 3.1 document, so that neither can drift
// from the other unnoticed. It is apart from testutil because only tests of the interface itself want the JSON Schema
// library that it brings.
//
// Put [ValidateReplies] between a test's HTTP client and its transport: a reply whose status, header, media type, field
// or problem code is not in the document fails the test. In these tests objects are closed: a field that the document
// does not name is an error, although clients have to ignore it, unless its schema says additionalProperties itself.
// Whether requests are as documented is not looked at, since tests send wrong ones on purpose.
//
// [Document.Validate] checks the document itself: its form, its references and all of its examples.
package openapitest
