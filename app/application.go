package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.uber.org/dig"
	"go.uber.org/fx"
)

// App is an application made by New.
type App struct {
	fx       *fx.App
	settings Settings
}

// New builds an application of the given options: modules, providers, decorators,
// and the configuration. It builds everything and starts nothing; what went wrong
// is in Err, and in the errors of Run and Start.
//
// The options are applied at the root, so that fx.Decorate replaces a part of any
// module.
func New(options ...fx.Option) *App {
	a := new(App)
	a.fx = fx.New(fx.Populate(&a.settings), Options(options...))
	return a
}

// Run starts the application, waits for SIGINT, SIGTERM or an fx.Shutdowner,
// and stops it; running requests finish first. A second signal cuts them off.
//
// A failure is one line on standard error and exit code 1. Run returns only if
// all went well.
func (a *App) Run() {
	code, err := a.run()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %s\n", filepath.Base(os.Args[0]), oneLine(err))
	}
	if code != 0 {
		os.Exit(code)
	}
}

func (a *App) run() (exitCode int, err error) {
	if err := a.Err(); err != nil {
		return 1, err
	}
	// Before the start: a signal that comes during it is not lost.
	shutdown := a.fx.Wait()
	startCtx, cancel := context.WithTimeout(context.Background(), a.fx.StartTimeout())
	defer cancel()
	if err := a.Start(startCtx); err != nil {
		return 1, explain(startCtx, "start", err)
	}
	reason := <-shutdown
	impatience, release := secondSignal()
	defer release()
	stopCtx, cancel := context.WithTimeout(impatience, a.stopTimeout())
	defer cancel()
	if err := a.Stop(stopCtx); err != nil {
		return 1, explain(stopCtx, "stop", err)
	}
	return reason.ExitCode, nil
}

// explain says why ctx ended, if that is all that err has to say.
func explain(ctx context.Context, verb string, err error) error {
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, ctx.Err()) {
		return fmt.Errorf("could not %s in time: %w", verb, cause)
	}
	return err
}

// repeatTime is how long after the first signal another is a repeat of it:
// supervisors signal a process and its group.
const repeatTime = 200 * time.Millisecond

// secondSignal returns a context that ends with the next signal that is no repeat.
func secondSignal() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	first := time.Now()
	go func() {
		for {
			select {
			case s := <-signals:
				if time.Since(first) > repeatTime {
					cancel(fmt.Errorf("%s signal received", s))
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, func() { signal.Stop(signals); cancel(nil) }
}

// stopTimeout leaves all other hooks what fx grants, whatever the server needs.
func (a *App) stopTimeout() time.Duration {
	return a.settings.ShutdownDelay() + a.settings.ShutdownTimeout() + a.fx.StopTimeout()
}

// Start starts everything and returns once the port is open.
func (a *App) Start(ctx context.Context) error { return rootCause(a.fx.Start(ctx)) }

// Stop closes the port, lets running requests finish, and stops everything in
// the reverse order.
func (a *App) Stop(ctx context.Context) error { return rootCause(a.fx.Stop(ctx)) }

// Err returns why New failed, or nil.
func (a *App) Err() error { return rootCause(a.fx.Err()) }

// rootCause takes off what fx says about the path to an error that a constructor
// returned. A fault of the graph itself, such as a missing type, keeps that
// path: it is the message.
func rootCause(err error) error {
	cause := dig.RootCause(err)
	if graphFault := dig.Error(nil); cause == nil || errors.As(cause, &graphFault) {
		return err
	}
	return cause
}

// oneLine joins the lines of an error's text, and a line that comes again is left out.
func oneLine(err error) string {
	lines := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' })
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return strings.ReplaceAll(strings.Join(slices.Compact(lines), "; "), ":; ", ": ")
}
