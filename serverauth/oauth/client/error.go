package client

import (
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

func invalidClient(description string) *Error {
	return &Error{Code: "invalid_client", Description: description}
}

func tooMany(retryAfter time.Duration) *Error {
	return &Error{Code: "too_many_requests", Description: "too many requests", Status: http.StatusTooManyRequests,
		Header: http.Header{"Retry-After": {strconv.Itoa(max(1, int(math.Ceil(retryAfter.Seconds()))))}}}
}
