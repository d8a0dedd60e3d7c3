package wallet_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/serverauth/wallet"
)

const offchain = "\xffsolana offchain"

func sized(text string) string { return string([]byte{byte(len(text)), byte(len(text) >> 8)}) + text }

func legacy(format byte, text string) string { return offchain + "\x00" + string(format) + sized(text) }

func v0(format byte, text string, signers ...string) string {
	return offchain + "\x00" + strings.Repeat("D", 32) + string(format) + string(rune(len(signers))) + strings.Join(signers, "") + sized(text)
}

func v1(text string, signers ...string) string {
	return offchain + "\x01" + string(rune(len(signers))) + strings.Join(signers, "") + text
}

func TestUnwrap(t *testing.T) {
	a, b := strings.Repeat("a", 32), strings.Repeat("b", 32)
	const line, lines = "one line", "one line\nand anöther"
	long := strings.Repeat("x", 2000)
	for _, test := range []struct {
		name, signed, text string
		signers            []string
	}{
		{"plain text", lines, lines, nil},
		{"nothing", "", "", nil},
		{"plain text that is cut", offchain[:15], offchain[:15], nil}, // the message parser refuses the 0xff
		{"legacy, ASCII", legacy(0, line), line, nil},
		{"legacy, short UTF-8", legacy(1, lines), lines, nil},
		{"legacy, long UTF-8", legacy(2, long), long, nil},
		{"legacy, as long as a packet", legacy(0, long[:1212]), long[:1212], nil},
		{"v0, ASCII", v0(0, line, a), line, []string{a}},
		{"v0, short UTF-8", v0(1, lines, b, a), lines, []string{b, a}},
		{"v0, long UTF-8", v0(2, long, a), long, []string{a}},
		{"v0, as long as a packet", v0(1, long[:1232-85], a), long[:1232-85], []string{a}},
		{"v0, application domain of zeros", strings.Replace(v0(1, lines, a), strings.Repeat("D", 32), strings.Repeat("\x00", 32), 1), lines, []string{a}},
		{"v1", v1(lines, a), lines, []string{a}},
		{"v1, two signers", v1(lines, a, b), lines, []string{a, b}},
		{"v1, long", v1(long, a), long, []string{a}},
	} {
		t.Run(test.name, func(t *testing.T) {
			envelope, err := wallet.Unwrap([]byte(test.signed))
			if err != nil || envelope.Text != test.text {
				t.Fatalf("%q, %v", envelope.Text, err)
			}
			var signers []string
			for _, signer := range envelope.Signers {
				signers = append(signers, string(signer))
			}
			if !slices.Equal(signers, test.signers) {
				t.Errorf("signers %q", signers)
			}
		})
	}
}

func TestUnwrapRefuses(t *testing.T) {
	a, b := strings.Repeat("a", 32), strings.Repeat("b", 32)
	const line, lines = "one line", "one line\nand another"
	long := strings.Repeat("x", 2000)
	for name, signed := range map[string]string{
		"domain only":                   offchain,
		"version only":                  offchain + "\x00",
		"version 1 only":                offchain + "\x01",
		"version 2":                     offchain + "\x02" + v1(line, a)[17:],
		"legacy, line feed in ASCII":    legacy(0, lines),
		"legacy, format 3":              legacy(3, line),
		"legacy, empty":                 legacy(0, ""),
		"legacy, trailing byte":         legacy(1, line) + "x",
		"legacy, cut":                   legacy(1, line)[:25],
		"legacy, not UTF-8":             legacy(1, "a\xffb"),
		"legacy, longer than a packet":  legacy(1, long),
		"legacy, control character":     legacy(1, "a\x1bb"),
		"v0, line feed in ASCII":        v0(0, lines, a),
		"v0, UTF-8 in ASCII":            v0(0, "ö", a),
		"v0, format 3":                  v0(3, line, a),
		"v0, no signer":                 v0(1, line),
		"v0, empty":                     v0(1, "", a),
		"v0, trailing byte":             v0(1, line, a) + "x",
		"v0, cut":                       v0(1, line, a)[:80],
		"v0, not UTF-8":                 v0(2, "a\xffb", a),
		"v0, longer than a packet":      v0(1, long, a),
		"v0, fewer signers than stated": strings.Replace(v0(1, line, a), "\x01\x01", "\x01\x7f", 1),
		"v1, no signer":                 v1(line),
		"v1, unsorted":                  v1(line, b, a),
		"v1, twice the same":            v1(line, a, a),
		"v1, no text":                   v1("", a),
		"v1, not UTF-8":                 v1("a\xffb", a),
		"v1, cut":                       v1(line, a)[:40],
	} {
		if envelope, err := wallet.Unwrap([]byte(signed)); !errors.Is(err, wallet.ErrMalformedMessage) || envelope.Text != "" || envelope.Signers != nil {
			t.Errorf("%s: %+v, %v", name, envelope, err)
		}
	}
}

func TestEnvelopeCheckSigner(t *testing.T) {
	a, b, c := strings.Repeat("a", 32), strings.Repeat("b", 32), strings.Repeat("c", 32)
	for _, test := range []struct {
		name, signed, key string
		want              error
	}{
		{"plain text", "text", a, nil},
		{"legacy", legacy(0, "text"), a, nil},
		{"named", v1("text", a, b), b, nil},
		{"not named", v1("text", a, b), c, wallet.ErrAddressMismatch},
		{"part of a name", v0(1, "text", a), a[:31], wallet.ErrAddressMismatch},
	} {
		envelope, err := wallet.Unwrap([]byte(test.signed))
		if err != nil {
			t.Fatal(err)
		}
		if err := envelope.CheckSigner([]byte(test.key)); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// A text in every envelope is signed, unwrapped, parsed and verified, and it
// is refused as soon as the envelope is changed.
func TestEnvelopesSignIn(t *testing.T) {
	w := newWallets(t)[0]
	m := solanaMessage()
	m.Address = w.addresses[1]
	text, key := m.String(), string(w.key)
	for name, signed := range map[string]string{
		"plain": text, "legacy": legacy(1, text), "v0": v0(1, text, key), "v0 long": v0(2, text, key), "v1": v1(text, key),
	} {
		envelope, err := wallet.Unwrap([]byte(signed))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		parsed, err := wallet.ParseMessage(envelope.Text)
		if err != nil || parsed.String() != text {
			t.Fatalf("%s: %v", name, err)
		}
		signature := w.sign([]byte(signed))
		if _, err := w.scheme.Verify(background, noChain, w.key, []byte(signed), signature); err != nil || envelope.CheckSigner(w.key) != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := w.scheme.Verify(background, noChain, w.key, []byte(envelope.Text), signature); name != "plain" && err == nil {
			t.Errorf("%s: the signature is over the text alone", name)
		}
	}
}
