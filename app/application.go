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

	"github.com/picoauth/picoauth/app/config"
)

// App is an application made by New.
type App struct {
	fx       *fx.App
	settings Settings
}

// New builds an application from the given options: modules, providers, decorators, and the configuration. It calls the
// constructors that they need and starts nothing. If something fails, Err, Run and Start return the error.
//
// The options are applied at the root of the fx graph, so that fx.Decorate replaces a part of any module.
func New(options ...fx.Option) *App {
	a := new(App)
	a.fx = fx.New(fx.Populate(&a.settings), Options(options...))
	return a
}

// Run starts the application, waits for SIGINT, SIGTERM or an fx.Shutdowner,
// and stops it; running requests finish first. A second signal cuts them off.
//
// If the start or the stop fails, it prints one line on standard error, or one for each fault of the configuration, and exits with
// code 1. If an fx.Shutdowner stops the application with an exit code, it exits with that. Otherwise it returns.
func (a *App) Run() {
	code, err := a.run()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %s\n", filepath.Base(os.Args[0]), report(err))
	}
	if code != 0 {
		os.Exit(code)
	}
}

func (a *App) run() (exitCode int, err error) {
	if err := a.Err(); err != nil {
		return 1, err
	}
	// Before the start, so that a signal during the start is not lost.
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

// explain replaces an error that only says that ctx ended by the cause for which it ended.
func explain(ctx context.Context, verb string, err error) error {
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, ctx.Err()) {
		return fmt.Errorf("could not %s in time: %w", verb, cause)
	}
	return err
}

// repeatTime is the time after the first signal in which further ones are ignored, because supervisors signal both a process and
// its group.
const repeatTime = 200 * time.Millisecond

// secondSignal returns a context that ends with the next signal after repeatTime.
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

// stopTimeout is the maximum time that the server needs to stop, plus the time-out of fx for all other hooks.
func (a *App) stopTimeout() time.Duration {
	return seconds(a.settings.ShutdownDelaySeconds+a.settings.ShutdownTimeoutSeconds) + streamTime + a.fx.StopTimeout()
}

// Start starts everything and returns once the port is open.
func (a *App) Start(ctx context.Context) error { return rootCause(a.fx.Start(ctx)) }

// Stop closes the port, lets running requests finish, and stops everything in reverse order.
func (a *App) Stop(ctx context.Context) error { return rootCause(a.fx.Stop(ctx)) }

// Err returns the error of New, or nil.
func (a *App) Err() error { return rootCause(a.fx.Err()) }

// rootCause removes the path through the fx graph from an error that a constructor returned. An error of the graph itself, such as
// a missing type, keeps the path, because it is the message.
func rootCause(err error) error {
	cause := dig.RootCause(err)
	if graphFault := dig.Error(nil); cause == nil || errors.As(cause, &graphFault) {
		return err
	}
	return cause
}

// report formats an error as one line, or as one line for each fault of a configuration.
func report(err error) string {
	faults := config.Faults(err)
	if fault := (*config.Error)(nil); len(faults) < 2 || !errors.As(err, &fault) {
		return oneLine(err)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "the configuration has %d faults", len(faults))
	for _, fault := range faults {
		text.WriteString("\n  " + oneLine(fault))
	}
	return text.String()
}

// oneLine joins the lines of an error's text. Of equal lines in a row it keeps one.
func oneLine(err error) string {
	lines := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' })
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return strings.ReplaceAll(strings.Join(slices.Compact(lines), "; "), ":; ", ": ")
}
