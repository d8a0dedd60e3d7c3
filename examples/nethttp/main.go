// Nethttp is a service of plain net/http, without fx and echo, that accepts the tokens of an auth server elsewhere.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/picoauth/picoauth/clientauth"
)

// secretVariable holds the secret for the denylist: flags are seen by everyone on the machine.
const secretVariable = "REVOCATION_SECRET"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "nethttp:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, log io.Writer) error {
	address, settings, err := parse(args, log)
	if err != nil {
		return err
	}
	auth, err := newAuthenticator(settings)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	fmt.Fprintf(log, "listening on http://%s for tokens of %s\n", listener.Addr(), settings.Issuer)
	server := &http.Server{Handler: routes(auth), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 20 * time.Second, IdleTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return server.Shutdown(grace)
}

// parse reads the flags into an address and the settings of clientauth, which are the same in every kind of service.
func parse(args []string, help io.Writer) (address string, settings clientauth.Settings, err error) {
	settings = clientauth.DefaultSettings()
	flags := flag.NewFlagSet("nethttp", flag.ContinueOnError)
	flags.SetOutput(help)
	flags.StringVar(&address, "address", "127.0.0.1:8300", "`host:port` to listen on")
	flags.StringVar(&settings.Issuer, "issuer", "http://localhost:8100", "claim iss of the tokens to accept, the `URL` of the auth server")
	flags.StringVar(&settings.Audience, "audience", "pico", "claim aud of the tokens to accept")
	flags.StringVar(&settings.JWKSURL, "jwks", "", "`URL` of the issuer's keys (default: /api/v1/auth/jwks at the issuer)")
	flags.StringVar(&settings.RevocationEndpoint, "denylist", "",
		"`URL` of the issuer's denylist, asked with the secret in "+secretVariable+" (default: none)")
	algorithms := flags.String("algorithms", "RS256", "`list` of algorithms to accept, with commas between")
	if err := flags.Parse(args); err != nil {
		return "", settings, err
	}
	if flags.NArg() > 0 {
		return "", settings, fmt.Errorf("unexpected argument %q; see --help", flags.Arg(0))
	}
	settings.RevocationSecret = os.Getenv(secretVariable)
	settings.AcceptedAlgorithms = strings.Split(*algorithms, ",")
	return address, settings, settings.Validate()
}

// newAuthenticator makes the middleware. The issuer need not be up: its keys are fetched in the background.
func newAuthenticator(settings clientauth.Settings) (*clientauth.Authenticator, error) {
	issuers, err := clientauth.NewIssuers(clientauth.IssuersConfig{Settings: settings})
	if err != nil {
		return nil, err
	}
	issuers.Warm()
	validator, err := clientauth.NewTokenValidator(clientauth.ValidatorConfig{
		Issuers: issuers.Trusted, Leeway: settings.Leeway(), CacheSize: settings.TokenCacheSize})
	if err != nil {
		return nil, err
	}
	return clientauth.NewAuthenticator(clientauth.AuthenticatorConfig{Validator: validator, Realm: settings.Audience})
}
