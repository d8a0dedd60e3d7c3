// Package workload identifies programs by what the platform on which they run has issued to them: the service account token of a
// Kubernetes pod, a SPIFFE JWT-SVID, the OpenID Connect token of a GitHub Actions job, or any other signed JWT with iss, sub, aud
// and exp. A program gets an access token for such an assertion (RFC 7523), so that it needs no secret of this server.
//
// No assertion is accepted unless the configuration has its issuer, the audience that it must have, and a pattern for its subject.
// The validator of clientauth verifies it, and it can be used only once.
package workload
