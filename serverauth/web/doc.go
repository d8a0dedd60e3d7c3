// Package web has the pages and files that the auth server sends to browsers: the page of its HTTP API, and client.js, the
// ES module with which a page signs people in.
//
// [Kit] makes further pages with a common layout and style, such as the console. [Forms] protects their forms.
//
// Everything is compiled in and served from the issuer's own origin, with nothing from a CDN. Pages are rendered on the
// server, have no inline script, and carry a Content-Security-Policy that allows no other origin. The folder client is also
// an npm package: `npm pack ./serverauth/web/client`.
package web
