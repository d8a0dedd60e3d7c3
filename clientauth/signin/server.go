package signin

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// The token type of DPoP, and the error codes for proofs (RFC 9449).
const (
	typeDPoP   = "DPoP"
	errorNonce = "use_dpop_nonce"
	errorProof = "invalid_dpop_proof"
)

const (
	prefix       = "/api/v1/auth"
	maxReply     = 256 << 10
	replyTimeout = 15 * time.Second
)

// Error is a refusal by the server. Programs should decide by Code.
type Error struct {
	Status int
	Code   string // of the application/problem+json reply, or the error of OAuth; may be empty
	Detail string
	// RetryAfter is the value of the header Retry-After; 0: none.
	RetryAfter time.Duration

	nonce bool // the reply contained a nonce
}

func (e *Error) Error() string {
	answer := strings.TrimSpace(fmt.Sprintf("%d %s", e.Status, e.Code)) // Python's server gives no code
	return fmt.Sprintf("signin: the server answered %s: %s", answer, e.Detail)
}

// temporary reports whether the same request may succeed later.
func (e *Error) temporary() bool {
	return e.Status == http.StatusTooManyRequests || e.Status >= http.StatusInternalServerError
}

// server is a client of the authentication server.
type server struct {
	issuer string
	client *http.Client
	nonces nonces
}

// tokens is a token response (RFC 6749, section 5.1).
type tokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
}

// signIn requests a challenge, signs it, and gets tokens for it. If there is a proof key, the tokens are bound to it, and the
// message, if there is one, names it.
func (s *server) signIn(ctx context.Context, k *Wallet, proofs *proofKey) (tokens, error) {
	var given challenge
	ask := map[string]string{"address": k.address, "algorithm": k.algorithm}
	if proofs != nil {
		ask["dpop_jkt"] = proofs.thumbprint
	}
	if err := s.send(ctx, call{path: "/challenge", body: ask}, &given); err != nil {
		return tokens{}, err
	}
	text, err := given.text(k, proofs)
	if err != nil {
		return tokens{}, err
	}
	request := map[string]string{"algorithm": k.algorithm, "address": k.address, "challenge": given.Nonce}
	if given.Message != "" {
		request["message"] = given.Message
	}
	if k.public != nil {
		request["public_key"] = hex.EncodeToString(k.public)
	}
	signature, err := k.sign([]byte(text))
	if err != nil {
		return tokens{}, fmt.Errorf("signin: sign the challenge: %w", err)
	}
	request["signature"] = hex.EncodeToString(signature)
	return s.tokens(ctx, "/sign-in", request, proofs)
}

func (s *server) refresh(ctx context.Context, token string, proofs *proofKey) (tokens, error) {
	return s.tokens(ctx, "/refresh", map[string]string{"refresh_token": token}, proofs)
}

// errNotBound is returned if the server does not support DPoP.
var errNotBound = errors.New("signin: Config.DPoP is set, but the server does not bind tokens to keys")

func (s *server) tokens(ctx context.Context, path string, body any, proofs *proofKey) (answer tokens, err error) {
	err = s.send(ctx, call{path: path, body: body, key: proofs}, &answer)
	if err == nil && proofs != nil && !strings.EqualFold(answer.TokenType, typeDPoP) {
		err = errNotBound
	}
	if answer.ExpiresIn == 0 {
		answer.ExpiresIn = lifetime(answer.AccessToken)
	}
	return answer, err
}

// lifetime returns the seconds from iat to exp of a JWT, whose signature is not verified. It is 0 for any other text. Python's
// server tells the lifetime of a token nowhere else.
func lifetime(token string) int64 {
	var claims struct {
		IssuedAt  int64 `json:"iat"`
		ExpiresAt int64 `json:"exp"`
	}
	parts, err := jose.ParseCompact(token)
	if err != nil || json.Unmarshal(parts.Payload, &claims) != nil {
		return 0
	}
	return max(0, claims.ExpiresAt-claims.IssuedAt)
}

// call is a request to the server, with a form or with JSON.
type call struct {
	path string
	body any
	form url.Values
	key  *proofKey // for the proof that is sent; nil: none

	client *clientCredentials // added to a form; nil: none
}

// send makes a call and decodes the reply. It repeats the call once if the server asks for another nonce. A refusal is an *Error.
func (s *server) send(ctx context.Context, c call, into any) error {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	err := s.once(ctx, c, into)
	if refused, isRefusal := errors.AsType[*Error](err); isRefusal && refused.Code == errorNonce && refused.nonce {
		err = s.once(ctx, c, into)
	}
	return err
}

func (s *server) once(ctx context.Context, c call, into any) error {
	header, form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, maps.Clone(c.form)
	if c.client != nil {
		if err := c.client.authenticate(header, form); err != nil {
			return err
		}
	}
	text := []byte(form.Encode())
	if c.form == nil {
		var err error
		if text, err = json.Marshal(c.body); err != nil {
			return err
		}
		header.Set("Content-Type", "application/json")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.issuer+prefix+c.path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header = header
	if c.key != nil {
		if err := c.key.prove(request, "", &s.nonces); err != nil {
			return err
		}
	}
	reply, err := s.client.Do(request)
	if err != nil {
		return fmt.Errorf("signin: %w", err)
	}
	defer reply.Body.Close()
	learned := s.nonces.learn(request.URL, reply)
	answer, err := io.ReadAll(io.LimitReader(reply.Body, maxReply))
	if err != nil {
		return fmt.Errorf("signin: the reply of %s was cut off: %w", c.path, err)
	}
	if reply.StatusCode != http.StatusOK {
		return refusal(reply, answer, learned)
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("signin: the reply of %s is not JSON", c.path)
	}
	return nil
}

func refusal(reply *http.Response, body []byte, nonce bool) error {
	e := &Error{Status: reply.StatusCode, nonce: nonce}
	if seconds, err := strconv.Atoi(reply.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	var problem struct {
		Code        string `json:"code"`
		Detail      string `json:"detail"`
		Error       string `json:"error"` // of OAuth
		Description string `json:"error_description"`
	}
	if json.Unmarshal(body, &problem) == nil {
		e.Code, e.Detail = cmp.Or(problem.Code, problem.Error), cmp.Or(problem.Detail, problem.Description)
	}
	return e
}

// isTemporary reports whether the request may succeed later: a refusal that says so, or any other error, such as a lost connection,
// except a cancelled context, errNotBound and errForeignText.
func isTemporary(err error) bool {
	if refused, isRefusal := errors.AsType[*Error](err); isRefusal {
		return refused.temporary()
	}
	return err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, errNotBound) && !errors.Is(err, errForeignText)
}
