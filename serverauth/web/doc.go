// Package web has what the auth server shows a browser: the page of its HTTP interface, and client.js, the ES module with
// which a page signs people in.
//
// [Kit] makes further pages, such as the console: one layout and style for all, and [Forms] protects what they send.
//
// Everything is compiled in and served from the issuer's own origin, with nothing from a CDN. Pages are rendered on the
// server, have no inline script, and carry a Content-Security-Policy that allows no other origin. The folder client is also
// an npm package: `npm pack ./serverauth/web/client`.
package web
