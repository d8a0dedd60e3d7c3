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

// JoinWallet joins a wallet to the subject of an access token. merge allows that the subject which the wallet is by itself ends.
func JoinWallet(ctx context.Context, baseURL, accessToken string, w *Wallet, merge bool) error {
	var challenge Challenge
	ask := map[string]any{"address": w.Address, "algorithm": w.Algorithm, "join": true, "merge": merge}
	if err := PostAs(ctx, baseURL+serverauth.Prefix+"/challenge", accessToken, ask, &challenge); err != nil {
		return err
	}
	request, err := SignInRequest(w, challenge)
	if err != nil {
		return err
	}
	return PostAs(ctx, baseURL+serverauth.Prefix+"/wallets", accessToken, request, nil)
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
func Post(ctx context.Context, url string, in, out any) error { return PostAs(ctx, url, "", in, out) }

// PostAs is Post with a bearer token.
func PostAs(ctx context.Context, url, token string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return do(ctx, http.MethodPost, url, token, bytes.NewReader(body), out)
}

// Get fetches url with a bearer token, if it is not empty, and decodes the reply as Post does.
func Get(ctx context.Context, url, token string, out any) error {
	return do(ctx, http.MethodGet, url, token, nil, out)
}

func do(ctx context.Context, method, url, token string, in io.Reader, out any) error {
	request, err := http.NewRequestWithContext(ctx, method, url, in)
	if err != nil {
		return err
	}
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
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
