package serverauth

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/mr-tron/base58"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

// signInRequest is the body of POST /sign-in. PublicKey is hex; Signature and SignedMessage are in the given Encoding.
type signInRequest struct {
	Address       string `json:"address"`
	PublicKey     string `json:"public_key"`
	Signature     string `json:"signature"`
	Challenge     string `json:"challenge"`
	Algorithm     string `json:"algorithm"`
	Message       string `json:"message"`
	SignedMessage string `json:"signed_message"`
	Encoding      string `json:"encoding"`

	read wallet.Address // what Address says, or else the message, as far as it could be read
}

// walletProof is a parsed sign-in request: the claimed key and address, what was signed, and how.
type walletProof struct {
	scheme    WalletScheme
	address   wallet.Address
	publicKey []byte // empty if the signature yields it
	signed    []byte
	signature []byte
	nonce     string
	purpose   store.Purpose  // that the nonce must have; empty: a sign-in
	chain     wallet.ChainID // that the message names, if any
	text      textKind
	message   *wallet.Message // nil if the nonce alone was signed
	shown     string          // the message as the wallet showed it
}

// textKind is the kind of text that was signed.
type textKind int

const (
	textNonce    textKind = iota // the challenge alone
	textPlain                    // a message
	textEnvelope                 // a message in the bytes that signed_message holds
)

// resources returns those that the message names.
func (p walletProof) resources() []string {
	if p.message == nil {
		return nil
	}
	return p.message.Resources
}

// signedText is the text that was signed: the exact bytes, and the message in them.
type signedText struct {
	bytes    []byte
	envelope wallet.Envelope
	message  *wallet.Message
}

// parse checks a request by all rules that need no cryptography. It does not use up the nonce. It sets the algorithm of a request
// that names none.
func (w *walletLogin) parse(r *signInRequest) (proof walletProof, err error) {
	if r.Algorithm == "" {
		r.Algorithm = algorithmOf(r)
	}
	if proof.scheme, err = w.verifier.Scheme(r.Algorithm); err != nil {
		return walletProof{}, unsupportedAlgorithm(r.Algorithm)
	}
	var unreadable error
	if r.Address != "" {
		r.read, unreadable = readAddress(r.Address, r.Algorithm)
	}
	if err := cmp.Or(checkRequired(r), unreadable); err != nil {
		return walletProof{}, err
	}
	if proof.publicKey, err = decodeHex(r.PublicKey); err != nil {
		return walletProof{}, err
	}
	if proof.signature, err = decodeAs(r.Encoding, r.Signature); err != nil {
		return walletProof{}, err
	}
	named := r.read.Chain()
	if r.Message == "" && r.SignedMessage == "" {
		err = w.bareNonce(&proof, r)
	} else {
		err = w.signedMessage(&proof, r)
	}
	if err != nil {
		return walletProof{}, err
	}
	if none := (wallet.ChainID{}); named != none && proof.chain != none && named != proof.chain {
		return walletProof{}, invalidAddress(fmt.Sprintf("is on chain %s, and the message is for %s", named, proof.chain))
	}
	if r.PublicKey == "" && r.Algorithm != wallet.EIP191Algorithm { // whose signature yields it
		if proof.publicKey = proof.address.SolanaKey(); proof.publicKey == nil {
			return walletProof{}, hinted(errKeyRequired, "missing for algorithm "+r.Algorithm+": public_key")
		}
	}
	return proof, nil
}

var errKeyRequired = app.NewProblem(http.StatusBadRequest, "missing_field", "address, public_key, signature, and challenge required")

// checkRequired checks that the required fields are there. Wallets whose address or signature yields the key need fewer.
func checkRequired(r *signInRequest) error {
	hasText := r.Message != "" || r.SignedMessage != ""
	complete := r.Signature != "" && (hasText || r.Address != "" && r.Challenge != "")
	problem := errKeyRequired
	switch needsKey := !addressIsKey(r, hasText); {
	case complete && (!needsKey || r.PublicKey != ""):
		return nil
	case !needsKey:
		problem = app.NewProblem(http.StatusBadRequest, "missing_field", "signature, and a message or an address and challenge, required")
	}
	return hinted(problem, missingHint(r, hasText))
}

func addressIsKey(r *signInRequest, hasText bool) bool {
	switch r.Algorithm {
	case wallet.EIP191Algorithm:
		return true
	case wallet.Ed25519Algorithm:
		return r.read.Kind() == wallet.Solana || r.Address == "" && hasText
	default:
		return false
	}
}

// bareNonce reads the proof of a service or an agent, which signs the nonce without a message.
func (w *walletLogin) bareNonce(proof *walletProof, r *signInRequest) error {
	ofChain := r.read.Kind() == wallet.Ethereum || r.read.MessageAccount(r.Algorithm) == wallet.SolanaAccount
	if w.requireMessage && ofChain {
		return errMessageRequired
	}
	proof.address = r.read
	proof.nonce = canonicalNonce(r.Challenge)
	proof.signed = []byte(proof.nonce)
	return nil
}

// signedMessage reads the proof of a user, who signs a text that names the site and contains the challenge.
func (w *walletLogin) signedMessage(proof *walletProof, r *signInRequest) error {
	text, err := w.readText(r)
	if err != nil {
		return err
	}
	m := text.message
	if !m.Fits(r.Algorithm) {
		return hinted(errAlgorithmMismatch, fmt.Sprintf("the message is for an account of %s, the algorithm is %s", m.Account, r.Algorithm))
	}
	signer := m.Signer()
	if len(m.Address) > maxAddressLength {
		return errAddressTooLong
	}
	if err := signer.CheckFor(r.Algorithm); err != nil {
		return addressProblem(err)
	}
	if r.Address != "" && r.read.Challenge() != signer.Challenge() {
		return errAddressMismatch
	}
	proof.nonce = canonicalNonce(m.Nonce)
	if r.Challenge != "" && canonicalNonce(r.Challenge) != proof.nonce {
		return app.NewProblem(http.StatusBadRequest, "challenge_mismatch", "challenge does not match message")
	}
	if m.Kind() == wallet.Solana {
		if err := text.envelope.CheckSigner(signer.SolanaKey()); err != nil {
			return errAddressMismatch
		}
	}
	proof.address, proof.chain, proof.signed, proof.text = signer, m.Chain, text.bytes, textPlain
	proof.message, proof.shown = m, text.envelope.Text
	if r.SignedMessage != "" {
		proof.text = textEnvelope
	}
	return nil
}

func (w *walletLogin) readText(r *signInRequest) (signedText, error) {
	text := signedText{bytes: []byte(r.Message), envelope: wallet.Envelope{Text: r.Message}}
	if r.SignedMessage != "" {
		var err error
		if text.bytes, err = decodeAs(r.Encoding, r.SignedMessage); err != nil {
			return text, err
		}
		if text.envelope, err = wallet.Unwrap(text.bytes); err != nil {
			return text, malformedMessage(err)
		}
		if r.Message != "" && r.Message != text.envelope.Text {
			return text, app.NewProblem(http.StatusBadRequest, "malformed_message", "message and signed_message do not hold the same text")
		}
	}
	var err error
	if text.message, err = wallet.ParseMessage(text.envelope.Text); err != nil {
		return text, malformedMessage(err)
	}
	if r.Address == "" {
		r.read = text.message.Signer()
	}
	if err := w.messages.check(text.message); err != nil {
		return text, err
	}
	if text.message.Kind() != wallet.Solana && text.envelope.Text != string(text.bytes) {
		return text, app.NewProblem(http.StatusBadRequest, "malformed_message", "only a Solana message may be in an envelope")
	}
	return text, nil
}

func identityProblem(err error, proof walletProof) error {
	switch {
	case errors.Is(err, wallet.ErrBadChecksum):
		return errBadChecksum
	case errors.Is(err, wallet.ErrInvalidSignature):
		return signatureProblem(err, proof.hint(wallet.ErrInvalidSignature))
	default:
		return errAddressMismatch
	}
}

// canonicalNonce returns the canonical form of a nonce, which a client may write with 0x and in any letter case.
func canonicalNonce(text string) string {
	return strings.ToLower(trimHexPrefix(text))
}

func trimHexPrefix(text string) string {
	if strings.HasPrefix(text, "0x") || strings.HasPrefix(text, "0X") {
		return text[2:]
	}
	return text
}

// maxBase58 is the maximum length of base58 text in characters. It is enough for the largest message in an envelope, and short
// enough that decoding, which takes quadratic time, takes only a few milliseconds.
const maxBase58 = 24_000

// decodeAs decodes a value in the encoding that the request names: hex (the default, also with 0x), base58, base64 or base64url.
func decodeAs(encoding, text string) (raw []byte, err error) {
	switch encoding {
	case "", "hex":
		return decodeHex(text)
	case "base58":
		if len(text) > maxBase58 {
			return nil, invalidEncoding(encoding)
		}
		raw, err = base58.Decode(text)
	case "base64":
		raw, err = base64.StdEncoding.Strict().DecodeString(text)
		if strings.ContainsAny(text, "\r\n") {
			err = base64.CorruptInputError(0)
		}
	case "base64url":
		raw, err = decodeBase64URL(text)
	default:
		return nil, app.NewProblem(http.StatusBadRequest, "unknown_encoding", "unknown encoding: "+shorten(encoding))
	}
	if err != nil {
		return nil, invalidEncoding(strings.TrimSuffix(encoding, "url"))
	}
	return raw, nil
}

// decodeBase64URL decodes base64url with complete padding or without padding.
func decodeBase64URL(text string) ([]byte, error) {
	encoding := base64.RawURLEncoding
	if strings.HasSuffix(text, "=") {
		encoding = base64.URLEncoding
	}
	if strings.ContainsAny(text, "\r\n") {
		return nil, base64.CorruptInputError(0)
	}
	return encoding.Strict().DecodeString(text)
}

func decodeHex(text string) ([]byte, error) {
	raw, err := hex.DecodeString(trimHexPrefix(text))
	if err != nil {
		return nil, invalidEncoding("hex")
	}
	return raw, nil
}

func invalidEncoding(encoding string) *app.Problem {
	return app.NewProblem(http.StatusBadRequest, "invalid_encoding", "invalid "+encoding+" encoding")
}
