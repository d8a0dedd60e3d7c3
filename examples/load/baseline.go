package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// startBaseline runs this program again as a server, so that the two servers have a process each. It returns the
// server's URL and what ends it.
func startBaseline(ctx context.Context, cfg config) (url string, end func(), err error) {
	program, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	command := exec.CommandContext(ctx, program, "--serve-baseline", "--url", cfg.url, "--algorithm", cfg.algorithm, "--path", cfg.path) //nolint:gosec // itself
	command.Stderr = os.Stderr
	stdout, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		cancel()
		return "", nil, err
	}
	end = func() {
		cancel()
		_ = command.Wait() // it was killed
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		end()
		return "", nil, errors.New("it did not start")
	}
	return strings.TrimSpace(line), end, nil
}

// serveBaseline serves until the context ends, and prints its URL first.
func serveBaseline(ctx context.Context, cfg config, out io.Writer) error {
	cfg.mode, cfg.connections = modeJWKS, 0
	model, err := newTarget(ctx, "server", cfg.url, cfg)
	if err != nil {
		return err
	}
	e, err := newBaseline(model, cfg)
	if err != nil {
		return err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "http://%s\n", listener.Addr())
	server := &http.Server{Handler: e, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// newBaseline is echo with nothing around it: handlers that decode JSON, do the cryptography of a model, and answer.
// They look nothing up, check nothing and remember nothing. The JWKS is the model's reply, headers included, so that the
// ratio is that of two replies of the same size; the other replies have no header that JSON does not need.
func newBaseline(model *target, cfg config) (*echo.Echo, error) {
	b, err := newBareCryptography(model.signing, cfg.algorithm)
	if err != nil {
		return nil, err
	}
	header := model.keysHeader.Clone()
	header.Del("Date")
	header.Del("Content-Length")
	e := echo.New()
	e.GET(prefix+"/jwks", func(c echo.Context) error {
		maps.Copy(c.Response().Header(), header) // the same reply, byte for byte
		return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, model.keys)
	})
	e.GET(cfg.path, func(c echo.Context) error {
		return c.JSON(http.StatusOK, map[string]string{"subject": bareSubject, "role": "wallet"})
	})
	e.POST(prefix+"/challenge", b.challenge)
	e.POST(prefix+"/sign-in", b.signIn)
	e.POST(prefix+"/refresh", b.refresh)
	return e, nil
}
