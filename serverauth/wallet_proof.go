package serverauth

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"

	"github.com/mr-tron/base58"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

// signInRequest is the body of POST /sign-in. PublicKey is hex; Signature and SignedMessage are written as Encoding
// says.
type signInRequest struct {
	Address       string `json:"address"`
	PublicKey     string `json:"public_key"`
	Signature     string `json:"signature"`
	Challenge     string `json:"challenge"`
	Algorithm     string `json:"algorithm"`
	Message       string `json:"message"`
	SignedMessage string `json:"signed_message"`
	Encoding      string `json:"encoding"`
}

// walletProof is a sign-in request that is well formed: whose key is claimed, what it signed, and how.
type walletProof struct {
	scheme    WalletScheme
	address   string
	publicKey []byte // nil where the signature yields it
	signed    []byte
	signature []byte
	nonce     string
	chain     wallet.ChainID // that the message names, if any
}

// signedText is what was signed: the exact bytes, and the message in them.
type signedText struct {
	bytes    []byte
	envelope wallet.Envelope
	message  *wallet.Message
}

// parse reads a request by the rules that need no cryptography and spend nothing.
func (w *walletLogin) parse(r signInRequest) (walletProof, error) {
	if r.Algorithm == "" {
		r.Algorithm = defaultWalletAlgorithm
	}
	scheme, err := w.verifier.Scheme(r.Algorithm)
	if err != nil {
		return walletProof{}, unsupportedAlgorithm(r.Algorithm)
	}
	if err := checkRequired(r); err != nil {
		return walletProof{}, err
	}
	if r.Address != "" {
		if err := checkAddress(r.Address); err != nil {
			return walletProof{}, err
		}
	}
	proof := walletProof{scheme: scheme}
	if proof.publicKey, err = decodeHex(r.PublicKey); err != nil {
		return walletProof{}, err
	}
	if proof.signature, err = decodeAs(r.Encoding, r.Signature); err != nil {
		return walletProof{}, err
	}
	if r.Message == "" && r.SignedMessage == "" {
		err = w.bareNonce(&proof, r)
	} else {
		err = w.signedMessage(&proof, r)
	}
	if err != nil {
		return walletProof{}, err
	}
	if r.PublicKey == "" {
		proof.publicKey, err = publicKeyIn(r.Algorithm, proof.address)
	}
	return proof, err
}

// checkRequired knows two kinds of request: those of wallets whose address is enough to know the key, and others.
func checkRequired(r signInRequest) error {
	hasText := r.Message != "" || r.SignedMessage != ""
	complete := r.Signature != "" && (hasText || r.Address != "" && r.Challenge != "")
	if addressIsKey(r, hasText) {
		if !complete {
			return app.NewProblem(http.StatusBadRequest, "missing_field", "signature, and a message or an address and challenge, required")
		}
		return nil
	}
	if !complete || r.PublicKey == "" {
		return app.NewProblem(http.StatusBadRequest, "missing_field", "address, public_key, signature, and challenge required")
	}
	return nil
}

func addressIsKey(r signInRequest, hasText bool) bool {
	switch r.Algorithm {
	case wallet.EIP191Algorithm:
		return true
	case wallet.Ed25519Algorithm:
		return wallet.KindOf(r.Address) == wallet.Solana || r.Address == "" && hasText
	default:
		return false
	}
}

// bareNonce is the proof of a service or an agent: the challenge's own text, signed.
func (w *walletLogin) bareNonce(proof *walletProof, r signInRequest) error {
	ofChain := wallet.KindOf(r.Address) == wallet.Ethereum || wallet.AccountFor(r.Algorithm, r.Address) == wallet.SolanaAccount
	if w.requireMessage && ofChain {
		return app.NewProblem(http.StatusBadRequest, "message_required", "message required")
	}
	proof.address = r.Address
	proof.nonce = canonicalNonce(r.Challenge)
	proof.signed = []byte(proof.nonce)
	return nil
}

// signedMessage is the proof of a person: a text that names the site, and holds the challenge.
func (w *walletLogin) signedMessage(proof *walletProof, r signInRequest) error {
	text, err := w.readText(r)
	if err != nil {
		return err
	}
	m := text.message
	if !m.Fits(r.Algorithm) {
		return app.NewProblem(http.StatusBadRequest, "algorithm_mismatch", "message is not one of this algorithm")
	}
	if r.Address != "" && wallet.ChallengeAddress(r.Address) != wallet.ChallengeAddress(m.Address) {
		return errAddressMismatch
	}
	proof.nonce = canonicalNonce(m.Nonce)
	if r.Challenge != "" && canonicalNonce(r.Challenge) != proof.nonce {
		return app.NewProblem(http.StatusBadRequest, "challenge_mismatch", "challenge does not match message")
	}
	if m.Kind() == wallet.Solana {
		key, _ := wallet.SolanaKey(m.Address)
		if err := text.envelope.CheckSigner(key); err != nil {
			return errAddressMismatch
		}
	}
	proof.address, proof.chain, proof.signed = m.Address, m.Chain, text.bytes
	return nil
}

func (w *walletLogin) readText(r signInRequest) (signedText, error) {
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
	if text.message, err = w.messages.read(text.envelope.Text); err != nil {
		return text, err
	}
	if text.message.Kind() != wallet.Solana && text.envelope.Text != string(text.bytes) {
		return text, app.NewProblem(http.StatusBadRequest, "malformed_message", "only a Solana message may be in an envelope")
	}
	return text, nil
}

// publicKeyIn returns the key that a Solana address is, or nil where the scheme recovers it.
func publicKeyIn(algorithm, address string) ([]byte, error) {
	if algorithm == wallet.EIP191Algorithm {
		return nil, nil
	}
	key, ok := wallet.SolanaKey(address)
	if !ok {
		return nil, app.NewProblem(http.StatusBadRequest, "missing_field", "address, public_key, signature, and challenge required")
	}
	return key, nil
}

func identityProblem(err error) error {
	switch {
	case errors.Is(err, wallet.ErrBadChecksum):
		return errBadChecksum
	case errors.Is(err, wallet.ErrInvalidSignature):
		return signatureProblem(err)
	default:
		return errAddressMismatch
	}
}

// canonicalNonce reads a nonce as a client may write it: with 0x, in any letter case.
func canonicalNonce(text string) string {
	return strings.ToLower(trimHexPrefix(text))
}

func trimHexPrefix(text string) string {
	if strings.HasPrefix(text, "0x") || strings.HasPrefix(text, "0X") {
		return text[2:]
	}
	return text
}

// maxBase58 bounds base58 text in characters: enough for the largest message in an envelope, and little enough that
// decoding, whose time grows with the square, takes about a millisecond.
const maxBase58 = 12_000

// decodeAs reads a value in the encoding that the request names; hex may carry 0x.
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
	default:
		return nil, app.NewProblem(http.StatusBadRequest, "unknown_encoding", "unknown encoding: "+shorten(encoding))
	}
	if err != nil {
		return nil, invalidEncoding(encoding)
	}
	return raw, nil
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
