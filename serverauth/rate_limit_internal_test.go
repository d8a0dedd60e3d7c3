package serverauth

import (
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/picoauth/picoauth/serverauth/internal/password"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth/internal/ratelimit"
)

func TestWhatABusyServerRefusesCountsForNothing(t *testing.T) {
	l := &limits{limiter: ratelimit.New(2, func() time.Time { return time.Unix(1_800_000_000, 0) }), metrics: uncounted(t), log: slog.New(slog.DiscardHandler)}
	request, err := http.NewRequest(http.MethodPost, "/", http.NoBody)
	require.NoError(t, err)
	request.RemoteAddr = "[2001:db8::1]:1"
	c := echo.New().NewContext(request, nil)
	for _, busy := range []error{errOverloaded, fmt.Errorf("login: %w", password.ErrBusy)} {
		for range 10 {
			require.ErrorIs(t, l.within(c, clientKey(c, "/sign-in"), func() error { return busy }), busy)
		}
	}
	for range 2 {
		require.ErrorIs(t, l.within(c, clientKey(c, "/sign-in"), func() error { return errInvalidChallenge }), errInvalidChallenge)
	}
	err = l.within(c, clientKey(c, "/sign-in"), func() error { return nil })
	assert.Equal(t, http.StatusTooManyRequests, problemOf(err).Status, "other refusals count")
}
