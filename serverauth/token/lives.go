package token

import (
	"context"
	"time"
)

const (
	// LongestSignIn is the maximum lifetime that the settings allow for an access token of a sign-in.
	LongestSignIn = 30 * 24 * time.Hour
	// Longest is the maximum lifetime that they allow for any token, which is that of a fleet token: 366 days.
	Longest = 366 * 24 * time.Hour
)

type clientInContext struct{}

// WithClient returns a context with the address of the client that makes the request, for the mint audit.
func WithClient(ctx context.Context, client string) context.Context {
	return context.WithValue(ctx, clientInContext{}, client)
}

// ClientOf returns the address of the client that makes the request with this context, or "".
func ClientOf(ctx context.Context) string {
	client, _ := ctx.Value(clientInContext{}).(string)
	return client
}
