package contract

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/loglimit"
	"github.com/picoauth/picoauth/serverauth/internal/cores"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/wallet"
	"github.com/picoauth/picoauth/serverauth/wallet/onchain"
)

// maxSignature is the maximum size in bytes of a signature; a longer one is invalid without a call.
const maxSignature = 16 << 10

// patience is the time-out for all endpoints of a chain together; each one has a time-out of 5 s.
const patience = 20 * time.Second

// Outcomes of a question, for Config.Count.
const (
	Accepted      = "accepted"
	Refused       = "refused"
	Unavailable   = "unavailable"
	ClientLimited = "client_limited"
	AllLimited    = "all_limited"
)

// Config configures [Wallets].
type Config struct {
	Endpoints      []onchain.Endpoint
	CallsPerMinute int // of one client
	// Count is called for every call and every one refused by a limit, with the CAIP-2 id of the chain.
	Count     func(chain, outcome string)
	Transport http.RoundTripper // nil: the default of package onchain
	Clock     app.Clock         // nil: time.Now
	Log       *slog.Logger
}

// Wallets verifies signatures of contract wallets. It is safe for concurrent use. For nil, Has returns false.
type Wallets struct {
	c        Config
	verifier *onchain.Verifier
	budget   budget
	flights  singleflight.Group
	faults   loglimit.Limit
}

// New returns Wallets that call the configured endpoints.
func New(c Config) *Wallets {
	c.Clock = app.ClockOr(c.Clock)
	return &Wallets{c: c, verifier: onchain.NewVerifier(c.Endpoints, c.Transport), budget: newBudget(c.CallsPerMinute, c.Clock)}
}

// Check verifies the chains of all endpoints. It returns an error for an endpoint of another chain, and logs a warning for one that
// does not answer.
func (w *Wallets) Check(ctx context.Context) error {
	err := w.verifier.Check(ctx)
	if errors.Is(err, onchain.ErrOtherChain) {
		return fmt.Errorf("server_auth.ethereum_rpc_urls: %w", err)
	}
	if err != nil {
		w.c.Log.WarnContext(ctx, "an endpoint of server_auth.ethereum_rpc_urls does not answer: contract wallets of its chain cannot sign in until an endpoint of the chain answers", "error", err)
	}
	return nil
}

// Has reports whether contract wallets of a chain can sign in.
func (w *Wallets) Has(chain wallet.ChainID) bool {
	number, ok := numberOf(chain)
	return w != nil && ok && w.verifier.Has(number)
}

func numberOf(chain wallet.ChainID) (uint64, bool) {
	number, err := strconv.ParseUint(chain.Reference, 10, 64)
	return number, err == nil && chain.Namespace == wallet.NamespaceEthereum
}

// Question asks whether the contract of an account accepts a signature.
type Question struct {
	Chain   wallet.ChainID // of Ethereum
	Address wallet.EthereumAddress
	Proof   store.WalletProof
	Client  string // the IP address of the client
	// Holds reports whether the wallet has a live session.
	Holds func() bool
}

// IsValid asks the chain of the account. Meanwhile the request that ctx belongs to leaves its seat, see cores.Outside. An error
// means that the answer is unknown: onchain.ErrUnavailable, a *LimitError, or that all seats are taken afterwards.
func (w *Wallets) IsValid(ctx context.Context, q Question) (valid bool, err error) {
	if !w.Has(q.Chain) {
		return false, fmt.Errorf("%w: ethereum_rpc_urls has no endpoint of %s", onchain.ErrUnavailable, q.Chain)
	}
	if len(q.Proof.Signature) > maxSignature {
		return false, nil
	}
	err = cores.Outside(ctx, func() error {
		answer, err, _ := w.flights.Do(q.key(), func() (any, error) { return w.ask(context.WithoutCancel(ctx), q) })
		valid, _ = answer.(bool)
		return err
	})
	return valid, err
}

// ask calls the chain within the limits. Its ctx does not end if a client disconnects, because others may wait for the same answer.
func (w *Wallets) ask(ctx context.Context, q Question) (valid bool, err error) {
	ctx, span := app.StartSpan(ctx, "chain.ask")
	defer func() { app.EndSpan(span, err) }()
	if err := w.budget.take(q.Client, q.Holds); err != nil {
		w.c.Count(q.Chain.String(), limitedOutcome(err))
		return false, err
	}
	number, _ := numberOf(q.Chain)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	valid, err = w.verifier.IsValid(ctx, number, q.Address, wallet.PersonalHash([]byte(q.Proof.Message)), []byte(q.Proof.Signature))
	outcome := Refused
	switch {
	case err != nil:
		outcome = Unavailable
		if leftOut, ok := w.faults.Allow(w.c.Clock()); ok {
			w.c.Log.WarnContext(ctx, "no endpoint of the chain answered", "error", err, "left_out", leftOut)
		}
	case valid:
		outcome = Accepted
	}
	w.c.Count(q.Chain.String(), outcome)
	return valid, err
}

func limitedOutcome(err error) string {
	if limit, ok := errors.AsType[*LimitError](err); ok && limit.Client {
		return ClientLimited
	}
	return AllLimited
}

// key returns the same text for questions about the same account, message and signature.
func (q Question) key() string {
	h := sha256.New()
	for _, text := range []string{q.Chain.String(), q.Address.String(), q.Proof.Message, q.Proof.Signature} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text))))
		h.Write([]byte(text))
	}
	return string(h.Sum(nil))
}
