// Load drives a running auth server with many connections and prints what it serves: throughput, latencies, errors,
// and on demand the ratio to a bare echo server that does the same cryptography and nothing else.
//
//	SERVER_AUTH__RATE_LIMIT_PER_MINUTE=0 SERVER_AUTH__ALGORITHM=EdDSA go run ./examples/embedded
//	go run ./examples/load --mode sign-in --algorithm Ed25519 --connections 32 --duration 20s --baseline
//
// With --rate it is an open loop instead: that many sign-ins a second are sent, however many the server answers.
//
//	APP__TRUSTED_PROXIES=127.0.0.1,::1 APP__LOG_LEVEL=error go run ./examples/embedded
//	go run ./examples/load --rate 10000 --addresses 1000 --duration 10s
//
// Client and server share the machine, so that only ratios of one run say something.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/picoauth/picoauth/testutil"
)

// config is what the flags say.
type config struct {
	url         string // base URL of the server, without a trailing slash
	mode        string
	algorithm   string // of the wallets
	path        string // of a protected route, for the modes that call one
	connections int
	duration    time.Duration // of the load on each server
	baseline    bool
	rate        int // sign-ins a second of the open loop; 0: a closed loop
	addresses   int // client addresses of the open loop; 0: the client's own
}

func main() {
	cfg, serve, err := readFlags(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	switch {
	case err != nil:
	case serve:
		err = serveBaseline(ctx, cfg, os.Stdout)
	case cfg.rate > 0:
		err = openLoad(ctx, cfg, os.Stdout, os.Stderr)
	default:
		err = run(ctx, cfg, os.Stdout, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		stop()
		os.Exit(1)
	}
}

// readFlags returns the configuration, and whether this is the process that serves as the baseline of another.
func readFlags(arguments []string, out io.Writer) (cfg config, serve bool, err error) {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&cfg.url, "url", "http://localhost:8100", "base `URL` of the server; its rate limit must be off")
	flags.StringVar(&cfg.mode, "mode", modeSignIn, "what to do: "+strings.Join(modes(), ", "))
	flags.StringVar(&cfg.algorithm, "algorithm", "Ed25519", "wallet `algorithm`: "+strings.Join(testutil.WalletAlgorithms(), ", "))
	flags.StringVar(&cfg.path, "path", "/api/profile", "`path` of a route that needs a token, for the modes protected and mix")
	flags.IntVar(&cfg.connections, "connections", 32, "`number` of connections, each with a wallet and a session of its own")
	flags.DurationVar(&cfg.duration, "duration", 10*time.Second, "`time` of the load, on each server")
	flags.BoolVar(&cfg.baseline, "baseline", false, "also load a bare echo server that does the same cryptography, in turn, and print the ratio")
	flags.IntVar(&cfg.rate, "rate", 0, "`number` of sign-ins a second to send whatever the server does (an open loop); 0: each connection waits for its reply")
	flags.IntVar(&cfg.addresses, "addresses", 0, "`number` of IPv6 clients, each in a /64 of its own, that the open loop's X-Forwarded-For names; the server must trust loopback as a proxy")
	flags.BoolVar(&serve, "serve-baseline", false, "be that server (what --baseline starts)")
	if err := flags.Parse(arguments); err != nil {
		return cfg, false, err
	}
	cfg.url = strings.TrimSuffix(cfg.url, "/")
	return cfg, serve, cfg.validate(flags.Args())
}

func (c config) validate(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unknown argument %q", rest[0])
	case !slices.Contains(modes(), c.mode):
		return fmt.Errorf("unknown mode %q; there are %s", c.mode, strings.Join(modes(), ", "))
	case !slices.Contains(testutil.WalletAlgorithms(), c.algorithm):
		return fmt.Errorf("unknown algorithm %q; there are %s", c.algorithm, strings.Join(testutil.WalletAlgorithms(), ", "))
	case c.connections < 1 || c.duration <= 0:
		return errors.New("connections and duration must be positive")
	case c.rate < 0 || c.addresses < 0 || c.addresses > 1<<20:
		return errors.New("rate must not be negative, addresses must be from 0 to 1048576")
	case c.rate == 0 && c.addresses > 0:
		return errors.New("addresses are for an open loop: give --rate")
	case c.rate > 0 && (c.mode != modeSignIn || c.baseline):
		return errors.New("an open loop (--rate) has sign-ins only, and no baseline")
	case c.rate > 0 && !strings.HasPrefix(c.url, "http://"):
		return errors.New("an open loop (--rate) speaks plain http")
	}
	return nil
}

// run loads the server, and in turn the baseline, and prints the figures.
func run(ctx context.Context, cfg config, out, progress io.Writer) error {
	ours, err := newTarget(ctx, "server", cfg.url, cfg)
	if err != nil {
		return err
	}
	targets := []*target{ours}
	if cfg.baseline {
		url, end, err := startBaseline(ctx, cfg)
		if err != nil {
			return fmt.Errorf("baseline: %w", err)
		}
		defer end()
		baseline, err := newTarget(ctx, "baseline", url, cfg)
		if err != nil {
			return fmt.Errorf("baseline: %w", err)
		}
		targets = append(targets, baseline)
	}
	err = load(ctx, cfg, targets, progress)
	report(out, cfg, targets)
	return err
}
