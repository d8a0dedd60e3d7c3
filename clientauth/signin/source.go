package signin

import (
	"cmp"
	"context"
	"crypto"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// Config configures a [Source].
type Config struct {
	// Issuer is the server's URL, such as https://auth.example.com.
	Issuer string
	// Signer is the key with which the program signs in. For Ed25519 and ML-DSA its Sign gets the text itself; for secp256k1 and
	// eip191 it gets a digest and has to return DER. Public returns an ed25519.PublicKey; for ML-DSA a key with a method
	// MarshalBinary; for secp256k1 and eip191 a *secp256k1.PublicKey, or an *ecdsa.PublicKey of that curve.
	Signer crypto.Signer
	// Algorithm is the wallet algorithm, such as Ed25519; see [Algorithms].
	Algorithm string
	// StateFile is a file that keeps the session, so that processes share it; empty: each process has a session of its own. The file
	// contains tokens and has mode 0600.
	StateFile string
	// DPoP binds the tokens to a key (RFC 9449): a stolen token cannot be used without that key. The key is DPoPSigner (P-256,
	// Ed25519 or RSA), or else a generated one, which is stored in the state file.
	DPoP       bool
	DPoPSigner crypto.Signer
	// Scope and Resource are the parameters of Exchange; empty: those of the subject's token.
	Scope, Resource []string
	// ClientID is the program's OAuth client for Exchange. The may_act of the client says for whom it may act. It authenticates by
	// ClientSecret (client_secret_basic), or by ClientSigner (private_key_jwt), a key of P-256, Ed25519 or RSA whose id in the
	// client's JWKS is ClientKeyID. It needs DPoP: a proof with the key of the source's token shows that the client owns the token.
	ClientID     string
	ClientSecret string
	ClientSigner crypto.Signer
	ClientKeyID  string
	// HTTPClient is used for requests to the server; nil: one of the source's own. Redirects are not followed.
	HTTPClient *http.Client
	// Patience is the time for which Token retries while the server is unavailable and there is no valid token; 0: 90 s.
	Patience time.Duration
}

// Source is an [oauth2.TokenSource] that signs in with a key. It is safe for concurrent use.
type Source struct {
	server          *server
	key             *Wallet
	file            stateFile
	patience        time.Duration
	scope, resource []string
	dpop            bool
	client          *clientCredentials // for Exchange; nil: none
	ownProofKey     bool               // proofKey is the caller's, and never in the state file

	mu       sync.Mutex // held while tokens are renewed
	current  session
	proofKey *proofKey // nil: none, or none yet
	keptKey  string    // proofKey in the format of the state file; empty for the caller's
}

const (
	defaultPatience = 90 * time.Second
	firstPause      = 200 * time.Millisecond
	longestPause    = 5 * time.Second
)

// NewSource returns a source. It returns an error for an invalid Config, and makes no request yet.
func NewSource(c Config) (*Source, error) {
	issuer, err := url.Parse(c.Issuer)
	if err != nil || issuer.Host == "" || issuer.Scheme != "https" && issuer.Scheme != "http" {
		return nil, fmt.Errorf("signin: Config.Issuer %q is not a URL such as https://auth.example.com", c.Issuer)
	}
	key, err := NewWallet(c.Signer, c.Algorithm)
	if err != nil {
		return nil, err
	}
	client := &http.Client{}
	if c.HTTPClient != nil {
		*client = *c.HTTPClient
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s := &Source{
		server: &server{issuer: strings.TrimSuffix(c.Issuer, "/"), client: client}, key: key, file: stateFile(c.StateFile),
		patience: cmp.Or(c.Patience, defaultPatience), scope: c.Scope, resource: c.Resource, dpop: c.DPoP || c.DPoPSigner != nil,
	}
	if s.client, err = newClientCredentials(c); err != nil {
		return nil, err
	}
	if c.DPoPSigner != nil {
		s.ownProofKey = true
		if s.proofKey, err = newProofKey(c.DPoPSigner, "Config.DPoPSigner"); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Address returns the address of the key, in the form for POST /challenge.
func (s *Source) Address() string { return s.key.address }

// Token implements oauth2.TokenSource: it returns a valid access token. If necessary it refreshes the session or signs in. The
// caller must not use the refresh token in the result, which the source uses. A refusal by the server is an *Error.
func (s *Source) Token() (*oauth2.Token, error) { return s.TokenContext(context.Background()) }

// TokenContext is Token with a context.
func (s *Source) TokenContext(ctx context.Context) (*oauth2.Token, error) {
	token, _, err := s.token(ctx, "")
	return token, err
}

// token returns a token that is not the refused one, and the key to which it is bound; nil if it is not bound.
func (s *Source) token(ctx context.Context, refused string) (*oauth2.Token, *proofKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current.isFresh(refused) {
		return s.current.token(), s.proofKey, nil
	}
	err := s.file.exclusively(ctx, func() error { return s.renew(ctx, refused) })
	switch {
	case err == nil:
		return s.current.token(), s.proofKey, nil
	case s.current.isValid() && s.current.AccessToken != refused: // it is old, but still valid
		return s.current.token(), s.proofKey, nil
	default:
		return nil, nil, err
	}
}

// isFresh reports whether the token need not be renewed yet. It is renewed in the last fifth of its lifetime, at most a minute
// before it expires.
func (k session) isFresh(refused string) bool {
	ahead := min(time.Duration(k.Lifetime)*time.Second/5, time.Minute)
	return k.AccessToken != "" && k.AccessToken != refused && time.Until(k.ExpiresAt) > ahead
}

func (k session) isValid() bool { return k.AccessToken != "" && time.Until(k.ExpiresAt) > 0 }

func (k session) token() *oauth2.Token {
	kind := "Bearer"
	if k.Thumbprint != "" {
		kind = typeDPoP
	}
	return &oauth2.Token{AccessToken: k.AccessToken, RefreshToken: k.RefreshToken, TokenType: kind, Expiry: k.ExpiresAt, ExpiresIn: k.Lifetime}
}

// renew uses the tokens that another process has renewed in the meantime, or refreshes the session, or signs in.
func (s *Source) renew(ctx context.Context, refused string) error {
	kept, err := s.file.load()
	if err != nil {
		return err
	}
	if s.dpop && s.proofKey == nil {
		if s.proofKey, s.keptKey, err = generateProofKey(); err != nil {
			return err
		}
	}
	if kept.Issuer == s.server.issuer && kept.Address == s.key.address && s.adopt(kept) && s.current.isFresh(refused) {
		return nil
	}
	answer, began, err := s.exchange(ctx)
	if err != nil {
		return err
	}
	s.current = session{
		Issuer: s.server.issuer, Address: s.key.address, AccessToken: answer.AccessToken, RefreshToken: answer.RefreshToken,
		ExpiresAt: began.Add(time.Duration(answer.ExpiresIn) * time.Second), Lifetime: answer.ExpiresIn,
		Thumbprint: s.proofKey.thumbprintOrNone(), ProofKey: s.keptKey,
	}
	return s.file.save(s.current)
}

// adopt uses a stored session and its proof key. It returns false for a session that is bound to another key, and if the stored
// key is invalid.
func (s *Source) adopt(kept session) bool {
	if s.dpop && !s.ownProofKey && kept.ProofKey != "" {
		key, err := parseProofKey(kept.ProofKey)
		if err != nil {
			return false
		}
		s.proofKey, s.keptKey = key, kept.ProofKey
	}
	switch {
	case kept.Thumbprint == s.proofKey.thumbprintOrNone():
	case kept.Thumbprint == "": // stored before Config.DPoP was set: the refresh binds it
		kept.AccessToken = ""
	default:
		return false
	}
	s.current = kept
	return true
}

// exchange gets tokens. Without a valid access token it retries after temporary failures, for as long as Config.Patience. After
// a lost reply it sends the same refresh token again, to which the server gives the same reply for 30 seconds by default.
func (s *Source) exchange(ctx context.Context) (answer tokens, began time.Time, err error) {
	if !s.current.isValid() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.patience)
		defer cancel()
	}
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		began = time.Now()
		answer, err = s.once(ctx)
		if err == nil || !isTemporary(err) || ctx.Err() != nil || s.current.isValid() {
			return answer, began, err
		}
		if refused, isRefusal := errors.AsType[*Error](err); isRefusal {
			pause = max(pause, refused.RetryAfter)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return answer, began, err
		}
	}
}

// once refreshes the session, or signs in if there is none or it has ended.
func (s *Source) once(ctx context.Context) (tokens, error) {
	if s.current.RefreshToken != "" {
		answer, err := s.server.refresh(ctx, s.current.RefreshToken, s.proofKey)
		if refused, isRefusal := errors.AsType[*Error](err); !isRefusal || refused.temporary() || refused.Code == errorProof {
			return answer, err
		}
		s.current.RefreshToken = "" // the session has ended
	}
	return s.server.signIn(ctx, s.key, s.proofKey)
}
