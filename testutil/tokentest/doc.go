// Package tokentest has what tests of token validation share: keys for all algorithms, tokens of every form, valid or not, a
// clock that tests control, and an HTTP endpoint of an issuer whose behaviour changes during a test. Unlike testutil's Issuer it needs
// neither fx nor echo.
package tokentest
