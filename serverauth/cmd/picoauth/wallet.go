package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/signin"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

// maxSignedText is the largest input of `wallet sign` in bytes. Challenges and messages are shorter.
const maxSignedText = 64 << 10

func newWallet() *cobra.Command {
	group := &cobra.Command{
		Use:   "wallet",
		Short: "Make a wallet, and sign with it, to try things by hand",
		Example: `  picoauth wallet new --key wallet.json --algorithm ML-DSA-65
  picoauth wallet address --key wallet.json
  printf %s "$CHALLENGE" | picoauth wallet sign --key wallet.json`,
	}
	group.AddCommand(newWalletNew(), newWalletAddress(), newWalletSign())
	return group
}

func keyFlag(c *cobra.Command) *string {
	path := c.Flags().StringP("key", "k", "", "`file` of the wallet's key")
	_ = c.MarkFlagRequired("key")
	return path
}

// walletView has the public data of a wallet.
type walletView struct {
	Algorithm string `json:"algorithm"`
	Address   string `json:"address"`
	PublicKey string `json:"public_key,omitempty"`
}

func showWallet(c *cobra.Command, w *signin.Wallet) error {
	view := walletView{w.Algorithm(), wallet.ReadAddress(w.Address()).Canonical(), hex.EncodeToString(w.PublicKey())}
	if strings.HasPrefix(view.Algorithm, "ML-DSA-") { // the long public key is an address too, but not a subject
		view.Address = jose.ThumbprintAKP(view.Algorithm, w.PublicKey())
	}
	return say(c, view, "%s\n", view.Address)
}

func newWalletNew() *cobra.Command {
	c := &cobra.Command{
		Use:     "new",
		Short:   "Make a key, in a file that only this user can read, and print its address",
		Example: "  picoauth wallet new --key wallet.json --algorithm eip191",
	}
	path := keyFlag(c)
	algorithm := c.Flags().StringP("algorithm", "a", signin.Ed25519, strings.Join(walletAlgorithms(), ", "))
	_ = c.RegisterFlagCompletionFunc("algorithm", cobra.FixedCompletions(walletAlgorithms(), cobra.ShellCompDirectiveNoFileComp))
	c.RunE = func(c *cobra.Command, _ []string) error {
		file := newKeyFile(*algorithm)
		w, err := file.wallet()
		if err != nil {
			return err
		}
		text, err := json.Marshal(file)
		if err != nil {
			return err
		}
		if err := writeNew(*path, strings.NewReader(string(text)+"\n")); err != nil {
			return err
		}
		return showWallet(c, w)
	}
	return c
}

func newWalletAddress() *cobra.Command {
	c := &cobra.Command{
		Use:     "address",
		Short:   "Print the address that the wallet signs in as",
		Example: "  picoauth wallet address --key wallet.json",
	}
	path := keyFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		w, err := openWallet(*path)
		if err != nil {
			return err
		}
		return showWallet(c, w)
	}
	return c
}

func newWalletSign() *cobra.Command {
	c := &cobra.Command{
		Use:   "sign",
		Short: "Sign standard input, and print the signature as /sign-in takes it",
		Long: "Signs every byte of standard input: a challenge, or its message where there is one. An editor or `echo` adds a line break,\n" +
			"which is signed too; `printf %s` adds none.",
		Example: `  printf %s "$CHALLENGE" | picoauth wallet sign --key wallet.json`,
	}
	path := keyFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		w, err := openWallet(*path)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(io.LimitReader(c.InOrStdin(), maxSignedText+1))
		if err != nil {
			return err
		}
		if len(text) == 0 || len(text) > maxSignedText {
			return fmt.Errorf("standard input has %d bytes; give the challenge or its message, of at most %d", len(text), maxSignedText)
		}
		signature, err := w.Sign(text)
		if err != nil {
			return err
		}
		encoded := hex.EncodeToString(signature)
		return say(c, map[string]string{"signature": encoded}, "%s\n", encoded)
	}
	return c
}

func openWallet(path string) (*signin.Wallet, error) {
	file, err := readKeyFile(path)
	if err != nil {
		return nil, err
	}
	return file.wallet()
}
