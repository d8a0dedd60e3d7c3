// Nethttp is a service of plain net/http that accepts the tokens of an auth server elsewhere. It links package verify,
// and with it neither fx nor echo nor Prometheus.
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

	"github.com/picoauth/picoauth/clientauth/verify"
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
	o, err := parse(args, log)
	if err != nil {
		return err
	}
	auth, err := newAuthenticator(o)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.address)
	if err != nil {
		return err
	}
	fmt.Fprintf(log, "listening on http://%s for tokens of %s\n", listener.Addr(), o.issuer)
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

// options are what the flags say.
type options struct {
	address, issuer, audience, jwks, denylist, secret string
	algorithms                                        []string
}

func parse(args []string, help io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("nethttp", flag.ContinueOnError)
	flags.SetOutput(help)
	flags.StringVar(&o.address, "address", "127.0.0.1:8400", "`host:port` to listen on")
	flags.StringVar(&o.issuer, "issuer", "http://localhost:8100", "claim iss of the tokens to accept, the `URL` of the auth server")
	flags.StringVar(&o.audience, "audience", "pico", "claim aud of the tokens to accept")
	flags.StringVar(&o.jwks, "jwks", "", "`URL` of the issuer's keys (default: /api/v1/auth/jwks at the issuer)")
	flags.StringVar(&o.denylist, "denylist", "",
		"`URL` of the issuer's denylist, asked with the secret in "+secretVariable+" (default: none)")
	algorithms := flags.String("algorithms", "", "`list` of algorithms to accept, with commas between (default: those of the issuer's keys)")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q; see --help", flags.Arg(0))
	}
	if o.jwks == "" {
		o.jwks = strings.TrimRight(o.issuer, "/") + "/api/v1/auth/jwks"
	}
	if *algorithms != "" {
		o.algorithms = strings.Split(*algorithms, ",")
	}
	o.secret = os.Getenv(secretVariable)
	return o, nil
}

// newAuthenticator makes the middleware. The issuer need not be up: its keys are fetched by the first request that needs
// them.
func newAuthenticator(o options) (*verify.Authenticator, error) {
	keys, err := verify.NewRemoteKeySet(verify.RemoteKeySetConfig{URL: o.jwks})
	if err != nil {
		return nil, err
	}
	issuer := verify.TrustedIssuer{Issuer: o.issuer, Audience: o.audience, Algorithms: o.algorithms, Keys: keys}
	if o.denylist != "" {
		issuer.Denylist, err = verify.NewRemoteDenylist(verify.RemoteDenylistConfig{URL: o.denylist, Secret: o.secret})
		if err != nil {
			return nil, err
		}
	}
	validator, err := verify.NewTokenValidator(verify.ValidatorConfig{
		Issuers: []verify.TrustedIssuer{issuer}, Leeway: time.Minute, CacheSize: 10_000})
	if err != nil {
		return nil, err
	}
	return verify.NewAuthenticator(verify.AuthenticatorConfig{Validator: validator, Realm: o.audience})
}
