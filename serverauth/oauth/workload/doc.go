// Package workload knows programs by the identity that the platform on which they run gives them: the service account of a
// Kubernetes pod, a SPIFFE JWT-SVID, the OpenID Connect token of a GitHub Actions job, and whatever else is a signed JWT with
// iss, sub, aud and exp. Such an assertion (RFC 7523) gets an access token, and no secret of this server lies in the pod.
//
// Nobody is known unless the configuration says so: an issuer, the audience that its assertions must have, and a pattern for
// their subjects. An assertion is judged by clientauth's own validator, and it serves once.
package workload
