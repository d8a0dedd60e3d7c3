package interop_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil"
)

// contractChain is the EVM of contracts/chain.mjs, with wallets on it, and a server that asks it.
type contractChain struct {
	*testing.T
	url   string
	auth  string
	clock *testutil.Clock
}

// newContractChain runs the EVM until the test ends.
func newContractChain(t *testing.T) *contractChain {
	t.Helper()
	node := find(t, "node", "node")
	installPackages(t, "contracts")
	watchFiles(t, "contracts")
	command := exec.CommandContext(t.Context(), node, "chain.mjs")
	command.Dir = "contracts"
	command.Env = append(command.Environ(), "HARDHAT_DISABLE_TELEMETRY_PROMPT=true")
	var problems strings.Builder
	command.Stderr = &problems
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = input.Close()
		_ = command.Wait()
	})
	url, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatalf("the EVM does not start: %v\n%s", err, problems.String())
	}
	c := &contractChain{T: t, url: strings.TrimSpace(url), clock: testutil.NewClock(time.Now())}
	c.auth = testutil.NewApp(t, testutil.WithClock(c.clock), serverauth.Module, clientauth.Module, app.ConfigMap(map[string]any{"server_auth": map[string]any{
		"algorithm": "EdDSA", "allowed_domains": []string{"app.example.com"}, "allowed_chains": []string{"eip155:31337"},
		"ethereum_rpc_urls": []string{"eip155:31337=" + c.url}, "refresh_grace_seconds": 0, "rate_limit_per_minute": 0, "ethereum_calls_per_minute": 1000,
	}})).URL + serverauth.Prefix
	return c
}

// do has the owners of a wallet do something.
func (c *contractChain) do(action, wallet, message string) string {
	c.Helper()
	var reply struct{ Result any }
	err := testutil.Post(c.Context(), c.url+"/do", map[string]string{"action": action, "wallet": wallet, "message": message}, &reply)
	if err != nil {
		c.Fatalf("%s %s: %v", action, wallet, err)
	}
	text, isText := reply.Result.(string)
	if !isText {
		raw, _ := json.Marshal(reply.Result)
		return string(raw)
	}
	return text
}

// message asks for a message of a wallet.
func (c *contractChain) message(wallet string) string {
	c.Helper()
	var challenge testutil.Challenge
	if err := testutil.Post(c.Context(), c.auth+"/challenge", map[string]string{"address": c.do("address", wallet, "")}, &challenge); err != nil {
		c.Fatal(err)
	}
	return challenge.Message
}

func (c *contractChain) signIn(message, signature string) (in testutil.SignedIn, err error) {
	err = testutil.Post(c.Context(), c.auth+"/sign-in", map[string]string{"message": message, "signature": signature}, &in)
	return in, err
}

func (c *contractChain) refresh(token string) (in testutil.SignedIn, err error) {
	err = testutil.Post(c.Context(), c.auth+"/refresh", map[string]string{"refresh_token": token}, &in)
	return in, err
}

// isIn fails unless the tokens are those of the wallet: of its contract, or of its key.
func (c *contractChain) isIn(wallet string, in testutil.SignedIn, err error, kind string) {
	c.Helper()
	if err != nil {
		c.Fatalf("%s: %v", wallet, err)
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(in.AccessToken, ".")[1])
	if err != nil {
		c.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(text, &claims); err != nil {
		c.Fatal(err)
	}
	address := c.do("address", wallet, "")
	sub := address
	if kind == "contract" {
		sub = "eip155:31337:" + address
	}
	if claims["sub"] != sub || claims["wallet_kind"] != kind || claims["wallet_address"] != address || claims["account"] != "eip155:31337:"+address {
		c.Errorf("%s has the claims %v", wallet, claims)
	}
}

// refused fails unless err is a reply of 401 with a detail.
func (c *contractChain) refused(what string, err error, detail string) {
	c.Helper()
	var status *testutil.StatusError
	if !errors.As(err, &status) || status.Status != 401 || !strings.Contains(string(status.Body), `"`+detail+`"`) {
		c.Errorf("%s: %v, not 401 %q", what, err, detail)
	}
}

const (
	unsigned = "signature verification failed"
	ended    = "refresh invalid: session has ended"
)

// Contract wallets as they are on a chain sign in: Safes of one owner and of several, one that is not deployed yet, one whose
// owners have approved the message on the chain, a wallet of a passkey's kind, and an account with a contract's code.
func TestContractWallets(t *testing.T) {
	c := newContractChain(t)
	for _, wallet := range []string{"one", "three", "undeployed", "passkey"} {
		message := c.message(wallet)
		signature := c.do("sign", wallet, message)
		if (wallet == "passkey" || wallet == "undeployed") && len(signature) < 1000 {
			t.Errorf("the signature of %s is not a long one: %s", wallet, signature)
		}
		in, err := c.signIn(message, signature)
		c.isIn(wallet, in, err, "contract")
		_, err = c.signIn(message, signature)
		c.refused(wallet+" again", err, "invalid or expired challenge")

		message = c.message(wallet)
		_, err = c.signIn(message, c.do("sign", wallet, message+"!"))
		c.refused(wallet+" with another message", err, unsigned)
		message = c.message(wallet)
		_, err = c.signIn(message, c.do("sign", "delegated", message))
		c.refused(wallet+" with a stranger's key", err, unsigned)
		message = c.message(wallet)
		_, err = c.signIn(message, "0x")
		c.refused(wallet+" without a signature", err, unsigned)
	}
	message := c.message("undeployed")
	_, err := c.signIn(message, c.do("sign", "one", message))
	c.refused("another's signature for a wallet that is not deployed", err, unsigned)

	calls := c.do("calls", "", "")
	message = c.message("delegated")
	in, err := c.signIn(message, c.do("sign", "delegated", message))
	c.isIn("delegated", in, err, "key")
	if now := c.do("calls", "", ""); now != calls {
		t.Errorf("a key's signature has cost calls: %s, before %s", now, calls)
	}

	message = c.message("one")
	c.do("approve", "one", message)
	in, err = c.signIn(message, "0x")
	c.isIn("one", in, err, "contract")
}

func TestContractWalletsWhoseOwnersChange(t *testing.T) {
	c := newContractChain(t)
	sessions := map[string]testutil.SignedIn{}
	for _, wallet := range []string{"one", "three", "undeployed"} {
		message := c.message(wallet)
		in, err := c.signIn(message, c.do("sign", wallet, message))
		c.isIn(wallet, in, err, "contract")
		sessions[wallet] = in
	}
	c.do("deploy", "undeployed", "")
	c.do("replaceOwner", "one", "")
	calls := c.do("calls", "", "")
	for wallet, in := range sessions {
		next, err := c.refresh(in.RefreshToken)
		c.isIn(wallet, next, err, "contract")
		sessions[wallet] = next
	}
	if now := c.do("calls", "", ""); now != calls {
		t.Errorf("a refresh has asked too early: %s calls, before %s", now, calls)
	}
	c.clock.Advance(15 * time.Minute)
	for wallet, in := range sessions {
		next, err := c.refresh(in.RefreshToken)
		if wallet == "one" {
			c.refused("an owner that has left", err, ended)
			continue
		}
		c.isIn(wallet, next, err, "contract")
	}
	message := c.message("one")
	_, err := c.signIn(message, c.do("sign", "one", message))
	c.refused("a sign-in of an owner that has left", err, unsigned)
}
