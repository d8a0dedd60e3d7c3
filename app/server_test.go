package app_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"testing"

	"github.com/picoauth/picoauth/app"
)

func TestServerCutsOffWhatDoesNotFinish(t *testing.T) {
	running := make(chan struct{})
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(running)
		<-r.Context().Done()
	})
	settings := app.DefaultSettings()
	settings.Port = 0
	server := app.NewServer(settings, handler, slog.New(slog.DiscardHandler))
	if server.Addr() != nil {
		t.Errorf("an address before Listen: %v", server.Addr())
	}
	if err := server.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		if err := server.Serve(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	group.Go(func() {
		if reply, err := http.Get("http://" + server.Addr().String()); err == nil {
			_ = reply.Body.Close()
			t.Errorf("got a reply: %s", reply.Status)
		}
	})
	<-running
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := server.Shutdown(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v", err)
	}
	group.Wait()
}
