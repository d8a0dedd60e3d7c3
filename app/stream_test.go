package app_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
)

// streaming starts an event stream, or another reply, that goes on until wait returns.
func streaming(contentType string, wait func(echo.Context)) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set("Content-Type", contentType)
		c.Response().WriteHeader(http.StatusOK)
		if _, err := io.WriteString(c.Response(), "begun\n"); err != nil {
			return err
		}
		c.Response().Flush()
		wait(c)
		_, err := io.WriteString(c.Response(), "ended\n")
		return err
	}
}

func TestStreamsEndWithTheServer(t *testing.T) {
	const events = "text/event-stream; charset=utf-8"
	hook := make(chan struct{})
	var asked context.Context
	for name, test := range map[string]struct {
		contentType string
		wait        func(echo.Context)
		options     fx.Option
	}{
		"by the context": {events, func(c echo.Context) { <-c.Request().Context().Done() }, nil},
		"by a context below it": {events, func(c echo.Context) {
			ctx, cancel := context.WithTimeout(c.Request().Context(), time.Hour)
			defer cancel()
			<-ctx.Done()
			asked = c.Request().Context()
		}, nil},
		"by Draining": {"application/x-ndjson", func(c echo.Context) { <-app.Draining(c.Request().Context()) }, nil},
		"by a stop hook": {events, func(echo.Context) { <-hook }, fx.Module("hub", fx.Invoke(func(lc fx.Lifecycle) {
			lc.Append(fx.StopHook(func() { close(hook) }))
		}))},
	} {
		t.Run(name, func(t *testing.T) {
			for _, h2c := range []bool{false, true} {
				hook = make(chan struct{})
				var server *app.Server
				options := []fx.Option{fx.Populate(&server), fx.Invoke(func(e *echo.Echo) { e.GET("/events", streaming(test.contentType, test.wait)) })}
				if test.options != nil {
					options = append(options, test.options)
				}
				application := app.New(quiet(options...), app.ConfigMap(map[string]any{"app.h2c": h2c, "app.shutdown_timeout_seconds": 20}))
				if err := application.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				reply := getOver(t, "http://"+server.Addr().String()+"/events", h2c)
				body := bufio.NewReader(reply.Body)
				if line, err := body.ReadString('\n'); line != "begun\n" {
					t.Fatal(line, err)
				}
				began := time.Now()
				if err := application.Stop(t.Context()); err != nil || time.Since(began) > 5*time.Second {
					t.Errorf("h2c %t: the stop took %s: %v", h2c, time.Since(began), err)
				}
				if line, err := body.ReadString('\n'); line != "ended\n" {
					t.Errorf("h2c %t: the stream was cut off: %q, %v", h2c, line, err)
				}
				_ = reply.Body.Close()
			}
		})
	}
	if asked == nil || asked.Err() == nil {
		t.Error("the context of a stream has no error")
	}
}

// A handler may send its header by a flush, and by the writer below echo's.
func TestAStreamIsNoticedHoweverItsHeaderIsSent(t *testing.T) {
	for name, send := range map[string]func(echo.Context){
		"a flush":               func(c echo.Context) { c.Response().Flush() },
		"a flush by controller": func(c echo.Context) { _ = http.NewResponseController(c.Response()).Flush() },
		"the writer below": func(c echo.Context) {
			_, _ = io.WriteString(c.Response().Writer, "data: begun\n\n")
			c.Response().Writer.(http.Flusher).Flush()
		},
		"a copy by the writer below": func(c echo.Context) {
			if n, err := c.Response().Writer.(io.ReaderFrom).ReadFrom(strings.NewReader("data: begun\n\n")); n != 13 || err != nil {
				t.Errorf("%d %v", n, err)
			}
			c.Response().Writer.(http.Flusher).Flush()
		},
		"early hints first": func(c echo.Context) {
			c.Response().Writer.WriteHeader(http.StatusEarlyHints)
			c.Response().Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			var server *app.Server
			application := app.New(quiet(fx.Populate(&server), fx.Invoke(func(e *echo.Echo) {
				e.GET("/events", func(c echo.Context) error {
					c.Response().Header().Set("Content-Type", "text/event-stream")
					send(c)
					<-c.Request().Context().Done()
					return nil
				})
			})), app.ConfigMap(map[string]any{"app.shutdown_timeout_seconds": 20}))
			if err := application.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			reply := getOver(t, "http://"+server.Addr().String()+"/events", false)
			began := time.Now()
			if err := application.Stop(t.Context()); err != nil || time.Since(began) > 5*time.Second {
				t.Errorf("the stop took %s: %v", time.Since(began), err)
			}
			_ = reply.Body.Close()
		})
	}
}

// getOver asks by HTTP/1, or by HTTP/2 without TLS.
func getOver(t *testing.T, url string, h2c bool) *http.Response {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(!h2c)
	transport.Protocols.SetUnencryptedHTTP2(h2c)
	t.Cleanup(transport.CloseIdleConnections)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if want := map[bool]int{false: 1, true: 2}[h2c]; reply.ProtoMajor != want {
		t.Errorf("HTTP/%d, want HTTP/%d", reply.ProtoMajor, want)
	}
	return reply
}

func TestHTTP2WithoutTLSIsOffUnlessItIsWanted(t *testing.T) {
	url := start(t)
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/healthz", nil)
	if reply, err := transport.RoundTrip(r); err == nil {
		_ = reply.Body.Close()
		t.Errorf("answered: %s", reply.Proto)
	}
}

// An ordinary request has its time and its answer, whatever streams there are, and before the hooks of what it uses.
func TestARequestBesideAStreamHasItsAnswer(t *testing.T) {
	var server *app.Server
	running, goOn, closed := make(chan struct{}), make(chan struct{}), false
	application := app.New(quiet(fx.Populate(&server), fx.Invoke(func(e *echo.Echo, lc fx.Lifecycle) {
		lc.Append(fx.StopHook(func() { closed = true }))
		e.GET("/events", streaming("text/event-stream", func(c echo.Context) { <-c.Request().Context().Done() }))
		e.GET("/slow", func(c echo.Context) error {
			close(running)
			<-app.Draining(c.Request().Context())
			<-goOn
			if err := c.Request().Context().Err(); err != nil {
				return err
			}
			return c.String(http.StatusOK, fmt.Sprintf("store closed: %t", closed))
		})
	})))
	if err := application.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	stream := getOver(t, "http://"+server.Addr().String()+"/events", false)
	defer func() { _ = stream.Body.Close() }()
	answer := make(chan string, 1)
	go func() {
		_, body := fetch(t, http.MethodGet, "http://"+server.Addr().String()+"/slow")
		answer <- body
	}()
	<-running
	stopped := make(chan error, 1)
	go func() { stopped <- application.Stop(context.Background()) }()
	if rest, err := io.ReadAll(stream.Body); err != nil || string(rest) != "begun\nended\n" { // the drain has begun
		t.Errorf("the stream: %q, %v", rest, err)
	}
	close(goOn)
	if body := <-answer; body != "store closed: false" {
		t.Errorf("got %q", body)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestAStreamThatDoesNotEndIsCutOffWithAWarning(t *testing.T) {
	p := launch(t, "deaf", "APP__SHUTDOWN_TIMEOUT_SECONDS=1")
	reply := getOver(t, "http://"+p.awaitAddress()+"/events", false)
	defer func() { _ = reply.Body.Close() }()
	p.signal(syscall.SIGTERM)
	if line := p.await("streams did not end and were cut off"); line["level"] != "WARN" || line["streams"] != 1.0 {
		t.Errorf("got %v", line)
	}
	if code, _, stderr := p.exit(); code != 0 || stderr != "" {
		t.Errorf("exit code %d, standard error %q", code, stderr)
	}
}

func TestAConnectionThatAHandlerTookOverDelaysNoShutdown(t *testing.T) {
	p := launch(t, "hijack")
	conn, err := net.Dial("tcp", p.awaitAddress())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "GET /socket HTTP/1.1\r\nHost: x\r\n\r\n")
	reader := bufio.NewReader(conn)
	if line, err := reader.ReadString('\n'); line != "hello\n" {
		t.Fatal(line, err)
	}
	began := time.Now()
	p.signal(syscall.SIGTERM)
	if line, err := reader.ReadString('\n'); line != "bye\n" {
		t.Errorf("got %q, %v", line, err)
	}
	if code, _, stderr := p.exit(); code != 0 || stderr != "" || time.Since(began) > 5*time.Second {
		t.Errorf("exit code %d after %s, standard error %q", code, time.Since(began), stderr)
	}
}

// hijack answers a socket as a library for WebSockets would.
func hijack(e *echo.Echo) {
	e.GET("/socket", func(c echo.Context) error {
		conn, _, err := http.NewResponseController(c.Response()).Hijack()
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, "hello\n")
		<-app.Draining(c.Request().Context())
		_, _ = io.WriteString(conn, "bye\n")
		return nil
	})
}

func TestDrainingOutsideOfAServer(t *testing.T) {
	if app.Draining(t.Context()) != nil {
		t.Error("a channel that nobody would close")
	}
}

// http.ResponseController reaches the connection through whatever wraps a reply.
func TestTheWriteTimeoutCanBeLiftedForARoute(t *testing.T) {
	url := start(t, fx.Invoke(func(e *echo.Echo) {
		e.GET("/", func(c echo.Context) error {
			controller := http.NewResponseController(c.Response())
			if err := controller.SetWriteDeadline(time.Now().Add(-time.Second)); err != nil {
				return err
			}
			if c.QueryParam("lift") != "" {
				if err := controller.SetWriteDeadline(time.Time{}); err != nil {
					return err
				}
			}
			_, err := io.WriteString(c.Response(), "written")
			return err
		})
	}))
	if reply, body := fetch(t, http.MethodGet, url+"/?lift=1"); reply.StatusCode != 200 || body != "written" {
		t.Errorf("got %d %q", reply.StatusCode, body)
	}
	if reply, err := http.Get(url); err == nil {
		_ = reply.Body.Close()
		t.Error("the deadline does not reach the connection")
	}
}
