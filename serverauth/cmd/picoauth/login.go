package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/picoauth/picoauth/clientauth/signin"
	"github.com/picoauth/picoauth/serverauth"
)

// signInPatience is how long a sign-in retries while the server is not available.
const signInPatience = 10 * time.Second

func newLogin() *cobra.Command {
	c := &cobra.Command{
		Use:   "login",
		Short: "Sign in as an operator, for sessions, tokens and keys",
		Long: "Signs in with a wallet's key; with the administrator's e-mail and password, which is asked for or read from standard input; or in\n" +
			"a browser, here or on another machine (--device prints the address to open and a code).\n" +
			"The session is kept in a file that only this user can read, until it ends or `picoauth logout`.",
		Example: "  picoauth login --email admin@pico.local\n  picoauth login --url https://auth.example.com --wallet wallet.json\n" +
			"  picoauth login --url https://auth.example.com --device\n" +
			"  picoauth login --email admin@pico.local --password-stdin < password.txt",
	}
	sessionFlag(c)
	address := c.Flags().String("url", defaultURL, "`URL` of the server, which is its issuer")
	wallet := c.Flags().String("wallet", "", "`file` of a wallet's key")
	email := c.Flags().String("email", "", "the administrator's `e-mail`")
	stdin := c.Flags().Bool("password-stdin", false, "read the password from standard input, also from a terminal")
	device := c.Flags().Bool("device", false, "sign in with a browser, and the wallet or password there")
	c.MarkFlagsMutuallyExclusive("wallet", "email", "device")
	c.MarkFlagsOneRequired("wallet", "email", "device")
	c.RunE = func(c *cobra.Command, _ []string) error {
		file, err := sessionFileOf(c)
		if err != nil {
			return err
		}
		server := strings.TrimSuffix(*address, "/")
		switch {
		case *device:
			err = loginWithDevice(c, file, server)
		case *wallet != "":
			err = loginWithWallet(c.Context(), file, server, *wallet)
		default:
			err = loginWithPassword(c, file, server, *email, *stdin)
		}
		if err != nil {
			return err
		}
		kept, err := file.load()
		if err != nil {
			return err
		}
		token, err := readToken(kept.AccessToken)
		if err != nil {
			return err
		}
		return say(c, map[string]any{"issuer": kept.Issuer, "address": kept.Address, "sub": token.subject(), "session": file.path},
			"Signed in at %s as %s. Next: picoauth sessions list\n", kept.Issuer, printable(token.subject()))
	}
	return c
}

// loginWithWallet begins a new session instead of a stored one, so that the session has the current roles.
func loginWithWallet(ctx context.Context, file sessionFile, server, keyPath string) error {
	key, err := readKeyFile(keyPath)
	if err != nil {
		return err
	}
	signer, err := key.signer()
	if err != nil {
		return err
	}
	if err := file.remove(); err != nil {
		return err
	}
	source, err := signin.NewSource(signin.Config{
		Issuer: server, Signer: signer, Algorithm: key.Algorithm, StateFile: file.path, Patience: signInPatience,
	})
	if err != nil {
		return err
	}
	_, err = source.TokenContext(ctx)
	return err
}

func loginWithPassword(c *cobra.Command, file sessionFile, server, email string, stdin bool) error {
	var password string
	var err error
	if stdin {
		password, err = readLine(c.InOrStdin())
	} else {
		password, err = readPassword(c, "Password of "+email, false)
	}
	if err != nil {
		return err
	}
	if password == "" {
		return errors.New("there is no password; type one, or give it as the first line of standard input")
	}
	began := time.Now()
	var answer tokens
	err = send(c.Context(), newHTTPClient(), http.MethodPost, server+serverauth.Prefix+"/login", "", map[string]string{"email": email, "password": password}, &answer)
	if err != nil {
		return err
	}
	return file.exclusively(c.Context(), func() error {
		return file.save(session{Issuer: server, Address: email}.with(answer, began))
	})
}

func newLogout() *cobra.Command {
	c := &cobra.Command{
		Use:     "logout",
		Short:   "End the operator's session and forget it",
		Example: "  picoauth logout",
	}
	sessionFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		file, err := sessionFileOf(c)
		if err != nil {
			return err
		}
		return file.exclusively(c.Context(), func() error {
			kept, err := file.load()
			if err != nil {
				return fmt.Errorf("%w: %w", errNotFound, err)
			}
			path, body := kept.farewell()
			err = send(c.Context(), newHTTPClient(), http.MethodPost, kept.Issuer+serverauth.Prefix+path, "", body, nil)
			if err != nil && !hasEnded(err) {
				return fmt.Errorf("%w; the session is kept", err)
			}
			return file.remove()
		})
	}
	return c
}
