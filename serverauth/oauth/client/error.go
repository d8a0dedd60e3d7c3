package client

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// Error is an OAuth error (RFC 6749, section 5.2).
type Error struct {
	Code        string // `error`
	Description string // `error_description`, for developers
	Status      int
	Header      http.Header
	Reason      string // for the log, if it must not be in the response
}

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Description }

func invalidRequest(description string) *Error {
	return &Error{Code: "invalid_request", Description: description, Status: http.StatusBadRequest}
}

// invalidClient has a Basic challenge, also for a client that used another method: RFC 6749 requires a challenge of the scheme that
// was used, and the other methods have none.
func invalidClient(realm, description string) *Error {
	return &Error{Code: "invalid_client", Description: description, Status: http.StatusUnauthorized,
		Header: http.Header{"Www-Authenticate": {fmt.Sprintf("Basic realm=%q", realm)}}}
}

func tooMany(retryAfter time.Duration) *Error {
	return &Error{Code: "too_many_requests", Description: "too many requests", Status: http.StatusTooManyRequests,
		Header: http.Header{"Retry-After": {strconv.Itoa(max(1, int(math.Ceil(retryAfter.Seconds()))))}}}
}
