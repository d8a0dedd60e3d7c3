package wallet_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/serverauth/wallet"
)

// What parses is at most what the policy is asked about, is read back as the
// same message from its own text, and never panics.
func FuzzParseMessage(f *testing.F) {
	for _, text := range []string{ethereumText, solanaText, bareText, ethereumMessage().String(), solanaMessage().String(), bareMessage().String()} {
		f.Add(text)
		f.Add(strings.Replace(text, "\nA statement.\n\n", "\n\n", 1))
		f.Add(strings.Replace(text, "\nA statement.\n\n", "\n", 1))
	}
	policy := testPolicy()
	f.Fuzz(func(t *testing.T, text string) {
		m, err := wallet.ParseMessage(text)
		if err != nil {
			if m != nil || !errors.Is(err, wallet.ErrMalformedMessage) {
				t.Fatalf("%v, %v", m, err)
			}
			return
		}
		if len(text) > wallet.MaxMessageSize || strings.ContainsAny(text, "\r\t\x00") {
			t.Error("accepted what no message may hold")
		}
		if err := policy.Check(m, testNow); err == nil && m.Domain != "example.com" && m.Domain != "localhost:8100" {
			t.Errorf("domain %q allowed", m.Domain)
		}
		if len(m.String()) > wallet.MaxMessageSize {
			return // an optional line was added to a text of almost that size
		}
		if err := m.Validate(); err != nil {
			t.Errorf("%v\n%q\n%q", err, text, m)
		}
	})
}

// An envelope has one reading: written again in some form it is the same
// bytes.
func FuzzUnwrap(f *testing.F) {
	signer := strings.Repeat("a", 32)
	for _, signed := range []string{"text", legacy(0, "text"), legacy(1, "te\nxt"), v0(0, "text", signer), v0(2, "te\nxt", signer, signer), v1("text", signer)} {
		f.Add([]byte(signed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		signed := string(data)
		envelope, err := wallet.Unwrap(data)
		if err != nil {
			if !errors.Is(err, wallet.ErrMalformedMessage) || !strings.HasPrefix(signed, offchain) {
				t.Fatal(err)
			}
			return
		}
		if !strings.HasSuffix(signed, envelope.Text) {
			t.Fatal("the text is not at the end")
		}
		if len(envelope.Signers) == 0 {
			if strings.HasPrefix(signed, offchain) && signed != legacy(signed[17], envelope.Text) {
				t.Error("not the legacy form")
			}
			return
		}
		count, signers := string([]byte{byte(len(envelope.Signers))}), ""
		for _, key := range envelope.Signers {
			signers += string(key)
			if envelope.CheckSigner(key) != nil {
				t.Error("a signer is not named")
			}
		}
		inV1 := offchain + "\x01" + count + signers + envelope.Text
		if signed == inV1 {
			return
		}
		if len(signed) < 50 || signed != signed[:17]+signed[17:50]+count+signers+sized(envelope.Text) || signed[16] != 0 || signed[49] > 2 {
			t.Error("neither version 0 nor 1")
		}
	})
}

func FuzzAddresses(f *testing.F) {
	for _, address := range append(eip55, "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM", "0xAB", "eip155:1", "eip155:1:0xab", "https://localhost:1", "[::1]") {
		f.Add(address)
	}
	wallets := newWallets(f)
	message := []byte("message")
	keys := make([][]byte, len(wallets))
	for i, w := range wallets {
		keys[i], _ = w.scheme.Verify(background, noChain, w.key, message, w.sign(message))
	}
	f.Fuzz(func(t *testing.T, text string) {
		challenge := wallet.ChallengeAddress(text)
		if wallet.ChallengeAddress(challenge) != challenge {
			t.Error("the challenge's address has another form")
		}
		address, err := wallet.ParseEthereumAddress(text)
		if err == nil && (!strings.EqualFold(address.String(), text) || wallet.KindOf(text) != wallet.Ethereum) {
			t.Errorf("%s", address)
		}
		if key, ok := wallet.SolanaKey(text); ok && len(key) != 32 {
			t.Errorf("key of %d bytes", len(key))
		}
		if chain, err := wallet.ParseChainID(text); err == nil {
			if again, err := wallet.ParseChainID(chain.String()); err != nil || again != chain {
				t.Errorf("%v", again)
			}
		}
		if account, err := wallet.ParseAccountID(text); err == nil {
			if again, err := wallet.ParseAccountID(account.String()); err != nil || again != account {
				t.Errorf("%v", again)
			}
		}
		if domain, err := wallet.ParseDomain(text); err == nil {
			if again, err := wallet.ParseDomain(domain.String()); err != nil || again != domain {
				t.Errorf("%v", again)
			}
		}
		for i, w := range wallets {
			if id, err := w.scheme.Identify(text, keys[i]); err == nil {
				again, err := w.scheme.Identify(id.Address, keys[i])
				if err != nil || again != id {
					t.Errorf("%s: %+v, %v", w.scheme.Algorithm(), again, err)
				}
			}
		}
	})
}

// Whatever the bytes, a verifier answers with the key or with an
// ErrInvalidSignature.
func fuzzVerify(f *testing.F, algorithm string) {
	message := []byte("message")
	for _, w := range newWallets(f) {
		if w.scheme.Algorithm() != algorithm {
			continue
		}
		signature := w.sign(message)
		f.Add(w.key, message, signature)
		f.Add([]byte{}, message, signature[:len(signature)-1])
		f.Add(make([]byte, len(w.key)), message, make([]byte, len(signature)))
		f.Fuzz(func(t *testing.T, key, message, signature []byte) {
			got, err := w.scheme.Verify(background, noChain, key, message, signature)
			if (err == nil) != (got != nil) || err != nil && !errors.Is(err, wallet.ErrInvalidSignature) {
				t.Fatalf("%x, %v", got, err)
			}
			if err == nil {
				if _, err := w.scheme.Verify(background, noChain, got, message, signature); err != nil {
					t.Errorf("not with its own key: %v", err)
				}
				if _, err := w.scheme.Verify(background, noChain, key, append(message, 'x'), signature); err == nil && len(key) > 0 {
					t.Error("valid for two messages")
				}
			}
			_, _ = w.scheme.Identify(string(message), key)
		})
	}
}

func FuzzEd25519(f *testing.F)   { fuzzVerify(f, wallet.Ed25519Algorithm) }
func FuzzSecp256k1(f *testing.F) { fuzzVerify(f, wallet.Secp256k1Algorithm) }
func FuzzEIP191(f *testing.F)    { fuzzVerify(f, wallet.EIP191Algorithm) }
func FuzzMLDSA44(f *testing.F)   { fuzzVerify(f, wallet.MLDSA44Algorithm) }
func FuzzMLDSA65(f *testing.F)   { fuzzVerify(f, wallet.MLDSA65Algorithm) }
func FuzzMLDSA87(f *testing.F)   { fuzzVerify(f, wallet.MLDSA87Algorithm) }
