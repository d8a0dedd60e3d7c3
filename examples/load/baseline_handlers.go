package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/testutil"
)

const (
	bareSubject = "47dc67feb86b6a7c29df91915d723c2957b293b82be4b1c89d3b35879f07007d"
	// bareClaims have about the size of a wallet's.
	bareClaims = `{"iss":"http://localhost:8100","sub":"` + bareSubject + `","aud":"pico","exp":1790000900,"nbf":1790000000,` +
		`"iat":1790000000,"jti":"0123456789abcdefghijkl","client_id":"pico","sid":"0123456789abcdefghijkl","role":"wallet",` +
		`"algorithm":"Ed25519","wallet_address":"` + bareSubject + `","wallet_id":"0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"}`
	// bareMessage has about the size of a message to sign.
	bareMessage = "localhost:8100 wants you to sign in with your account:\n0x52908400098527886E0F7030069857D2E4169EE7\n\n\n" +
		"URI: http://localhost:8100\nVersion: 1\nChain ID: 1\nNonce: %s\nIssued At: 2026-01-01T00:00:00Z\nExpiration Time: 2026-01-01T00:05:00Z"
)

// bareCryptography is the cryptography of a server's handlers.
type bareCryptography struct {
	verify  func(key, message, signature []byte) bool
	sign    func(text []byte) ([]byte, error)
	secret  []byte // of nonces and refresh tokens
	message bool   // whether wallets sign a message
}

func newBareCryptography(signing, wallet string) (*bareCryptography, error) {
	sign, err := bareSigner(signing)
	if err != nil {
		return nil, err
	}
	verify, err := bareVerifier(wallet)
	return &bareCryptography{verify, sign, []byte(rand.Text()), wallet == "eip191" || wallet == testutil.SolanaWallet}, err
}

func (b *bareCryptography) mac(text string) []byte {
	mac := hmac.New(sha256.New, b.secret)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func (b *bareCryptography) challenge(c echo.Context) error {
	var request struct {
		Address string `json:"address"`
	}
	if err := c.Bind(&request); err != nil {
		return err
	}
	nonce := make([]byte, 16, 32)
	rand.Read(nonce)
	nonce = append(nonce, b.mac(string(nonce) + request.Address)[:16]...)
	reply := testutil.Challenge{Challenge: hex.EncodeToString(nonce), TTL: 60}
	if b.message {
		reply.Message = fmt.Sprintf(bareMessage, reply.Challenge)
	}
	return c.JSON(http.StatusOK, reply)
}

func (b *bareCryptography) signIn(c echo.Context) error {
	var request struct {
		Address   string `json:"address"`
		PublicKey string `json:"public_key"`
		Signature string `json:"signature"`
		Challenge string `json:"challenge"`
		Message   string `json:"message"`
	}
	if err := c.Bind(&request); err != nil {
		return err
	}
	key, keyErr := hex.DecodeString(request.PublicKey)
	signature, err := hex.DecodeString(request.Signature)
	if err != nil || keyErr != nil {
		return echo.ErrBadRequest
	}
	text := request.Challenge
	if b.message {
		text = request.Message
	}
	b.mac(request.Challenge + request.Address)
	if !b.verify(key, []byte(text), signature) {
		return echo.ErrUnauthorized
	}
	return b.tokens(c)
}

func (b *bareCryptography) refresh(c echo.Context) error {
	var request struct {
		Token string `json:"refresh_token"`
	}
	if err := c.Bind(&request); err != nil {
		return err
	}
	claims, mac, _ := strings.Cut(request.Token, ".")
	if base64.RawURLEncoding.EncodeToString(b.mac(claims)) != mac {
		return echo.ErrUnauthorized
	}
	return b.tokens(c)
}

func (b *bareCryptography) tokens(c echo.Context) error {
	encode := base64.RawURLEncoding.EncodeToString
	access := encode([]byte(`{"alg":"EdDSA","kid":"0123456789abcdefghijklmnopqrstuvwxyzABCDEFG","typ":"at+jwt"}`)) + "." + encode([]byte(bareClaims))
	signature, err := b.sign([]byte(access))
	if err != nil {
		return err
	}
	session := encode([]byte(bareClaims[:200]))
	var reply testutil.SignedIn
	reply.AccessToken, reply.RefreshToken = access+"."+encode(signature), session+"."+encode(b.mac(session))
	reply.TokenType, reply.ExpiresIn, reply.Address, reply.Algorithm = "Bearer", 900, bareSubject, "Ed25519"
	return c.JSON(http.StatusOK, reply)
}
