// Package claims provides the claims of a subject: role, groups, scope and additional claims of the app.
//
// A [Provider] is called at each sign-in, login and refresh. The settings subjects, subjects_file and claims_url are providers that
// need no code. [NewSources] combines them with the app's own provider, which overrides them field by field.
package claims
