package testutil

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/picoauth/picoauth/serverauth"
)

// SignedIn is what a sign-in answers.
type SignedIn struct {
	serverauth.Tokens
	Address   string `json:"address"`
	Algorithm string `json:"algorithm"`
}

// Challenge is what a wallet signs: the message where there is one, else the challenge itself.
type Challenge struct {
	Challenge string `json:"challenge"`
	TTL       int64  `json:"ttl"`
	Message   string `json:"message"`
}

// SignIn asks baseURL for a challenge, signs it and signs in.
func SignIn(ctx context.Context, baseURL string, w *Wallet) (SignedIn, error) {
	var challenge Challenge
	var in SignedIn
	ask := map[string]string{"address": w.Address, "algorithm": w.Algorithm}
	if err := Post(ctx, baseURL+serverauth.Prefix+"/challenge", ask, &challenge); err != nil {
		return in, err
	}
	request, err := SignInRequest(w, challenge)
	if err != nil {
		return in, err
	}
	return in, Post(ctx, baseURL+serverauth.Prefix+"/sign-in", request, &in)
}

// SignInRequest is the body of a sign-in with the signed challenge.
func SignInRequest(w *Wallet, c Challenge) (map[string]any, error) {
	text := c.Challenge
	request := map[string]any{"address": w.Address, "algorithm": w.Algorithm, "challenge": c.Challenge}
	if c.Message != "" {
		text = c.Message
		request["message"] = c.Message
	}
	if w.PublicKey != nil {
		request["public_key"] = w.PublicKeyHex()
	}
	signature, err := w.Sign([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("sign the challenge: %w", err)
	}
	request["signature"] = hex.EncodeToString(signature)
	return request, nil
}

// StatusError is a reply that is no 2xx.
type StatusError struct {
	Status int
	Body   []byte
}

// Error implements error.
func (e *StatusError) Error() string { return fmt.Sprintf("status %d: %s", e.Status, e.Body) }

// Post sends a JSON object and decodes the reply into out, which may be nil. A reply that is no 2xx is a *StatusError.
func Post(ctx context.Context, url string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	return do(request, out)
}

// Get fetches url with a bearer token, if it is not empty, and decodes the reply as Post does.
func Get(ctx context.Context, url, token string, out any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return do(request, out)
}

func do(request *http.Request, out any) error {
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(io.LimitReader(reply.Body, 1<<20))
	if err != nil {
		return err
	}
	if reply.StatusCode/100 != 2 {
		return &StatusError{Status: reply.StatusCode, Body: body}
	}
	if out == nil || len(body) == 0 {
		return nil
	}
	return json.Unmarshal(body, out)
}
