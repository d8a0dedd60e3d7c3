package serverauth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

// Hints tell the client what was received and what was expected, if that reveals nothing to an attacker: the contents of a
// message compared with the configuration, formats and lengths. They never reveal whose a nonce is, which key was expected, or
// whether a subject exists.

// hinted returns a copy of the problem with a hint. The given problem is shared and not changed.
func hinted(problem *app.Problem, hint string) *app.Problem {
	own := *problem
	own.Hint = hint
	return &own
}

// textIn returns the message of a sign-in request, also if it is inside an envelope; empty if there is none.
func textIn(r *signInRequest) string {
	if r.Message != "" || r.SignedMessage == "" {
		return r.Message
	}
	signed, err := decodeAs(r.Encoding, r.SignedMessage)
	if err != nil {
		return ""
	}
	envelope, err := wallet.Unwrap(signed)
	if err != nil {
		return ""
	}
	return envelope.Text
}

// algorithmOf returns the algorithm of a request that names none: that of its message, or the default.
func algorithmOf(r *signInRequest) string {
	switch account := wallet.AccountIn(textIn(r)); account {
	case "":
		return defaultWalletAlgorithm
	case wallet.EthereumAccount:
		return wallet.EIP191Algorithm
	case wallet.SolanaAccount:
		return wallet.Ed25519Algorithm
	default:
		return account
	}
}

// missingHint names the missing fields, and the algorithm if the client probably meant another one.
func missingHint(r *signInRequest, hasText bool) string {
	var missing []string
	for _, field := range []struct {
		name   string
		absent bool
	}{
		{"signature", r.Signature == ""},
		{"public_key", r.PublicKey == "" && !addressIsKey(r, hasText)},
		{"address", r.Address == "" && !hasText},
		{"challenge", r.Challenge == "" && !hasText},
	} {
		if field.absent {
			missing = append(missing, field.name)
		}
	}
	hint := "missing for algorithm " + shorten(r.Algorithm) + ": " + strings.Join(missing, ", ")
	if r.Algorithm == defaultWalletAlgorithm {
		switch r.read.Kind() {
		case wallet.Ethereum:
			hint += "; an Ethereum wallet sends algorithm eip191, or a message"
		case wallet.Solana:
			hint += "; a Solana wallet sends algorithm Ed25519, or a message"
		}
		if hasText && wallet.AccountIn(textIn(r)) == "" {
			hint += "; the message's first line names no account, so the default algorithm applies"
		}
	}
	return hint
}

// hint describes what may be wrong with a signature.
func (p walletProof) hint(err error) string {
	var length *wallet.LengthError
	var form *wallet.FormError
	switch {
	case errors.As(err, &form):
		return form.Error()
	case errors.As(err, &length):
		return length.Error()
	case errors.Is(err, wallet.ErrWrongLength):
		return "the public key or the signature has the wrong length for " + p.scheme.Algorithm()
	case errors.Is(err, wallet.ErrHighS):
		return "the signature's s is above half the group order; sign with the low s, which libraries also call canonical"
	case errors.Is(err, wallet.ErrLowOrderKey):
		return "the public key has low order: anyone can make valid signatures for it"
	case p.text == textPlain && p.address.Kind() == wallet.Solana:
		return "the wallet may have signed an envelope (Ledger, newer Solana wallets): use its signIn, and send the bytes that it signed as signed_message"
	case p.text == textNonce && p.address.Kind() == wallet.Ethereum && p.scheme.Algorithm() == wallet.EIP191Algorithm:
		return "personal_sign reads a text of hex digits as bytes: pass it 0x and the hex of the challenge's 64 characters"
	case p.text == textNonce:
		return "sign the text of the challenge, its 64 lowercase hex characters, not the 32 bytes that they encode"
	default:
		return "this account did not make the signature, or did not make it for exactly these bytes of the message"
	}
}

// messageProblem returns a problem that describes how a message differs from the configuration.
func (m *messages) messageProblem(err error, message *wallet.Message, now time.Time) *app.Problem {
	problem := app.NewProblem(http.StatusUnauthorized, wallet.Code(err), err.Error())
	at := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	skew := m.policy.ClockSkew
	switch {
	case errors.Is(err, wallet.ErrBadChecksum):
		problem.Status, problem.Title = http.StatusBadRequest, http.StatusText(http.StatusBadRequest)
		if errors.Is(err, wallet.ErrNoChecksum) {
			problem.Hint = "the address in the message has no EIP-55 checksum: write it with upper and lower case, as getAddress of viem and ethers does"
		}
	case errors.Is(err, wallet.ErrDomainMismatch):
		came := message.Domain
		if message.Scheme != "" {
			came = message.Scheme + "://" + came
		}
		problem.Hint = fmt.Sprintf("the message is for %q, allowed are %s", shorten(came), m.domains())
	case errors.Is(err, wallet.ErrURIMismatch):
		problem.Hint = fmt.Sprintf("the message's URI is %q, allowed are %s", shorten(message.URI), m.domains())
	case errors.Is(err, wallet.ErrChainNotAllowed):
		problem.Hint = m.chainHint(message.Kind().Namespace(), message.Chain)
	case errors.Is(err, wallet.ErrIssuedAtOutOfRange):
		problem.Hint = fmt.Sprintf("Issued At is %s, it must be between %s and %s", at(message.IssuedAt), at(now.Add(-m.policy.MaxAge-skew)), at(now.Add(skew)))
	case errors.Is(err, wallet.ErrMessageExpired) && message.ExpirationTime != nil:
		problem.Hint = fmt.Sprintf("Expiration Time is %s, the server's time is %s", at(*message.ExpirationTime), at(now))
	case errors.Is(err, wallet.ErrMessageNotYetValid) && message.NotBefore != nil:
		problem.Hint = fmt.Sprintf("Not Before is %s, the server's time is %s", at(*message.NotBefore), at(now))
	}
	return problem
}

func (m *messages) chainHint(namespace string, came wallet.ChainID) string {
	named := "no chain is given"
	if came != (wallet.ChainID{}) {
		named = fmt.Sprintf("the chain is %q", shorten(came.String()))
	}
	var allowed []string
	for _, chain := range m.policy.Chains {
		if chain.Namespace == namespace || namespace == "" {
			allowed = append(allowed, chain.String())
		}
	}
	return named + ", allowed are " + listed(allowed)
}

func (m *messages) domains() string {
	names := make([]string, len(m.policy.Domains))
	for i, domain := range m.policy.Domains {
		names[i] = domain.String()
	}
	return listed(names)
}

// listed joins the first ten names, and counts the others.
func listed(names []string) string {
	const most = 10
	switch {
	case len(names) == 0:
		return "none"
	case len(names) > most:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	default:
		return strings.Join(names, ", ")
	}
}
