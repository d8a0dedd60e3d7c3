package serverauth_test

import (
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/picoauth/picoauth/serverauth"
)

// unread is a reply that nobody reads.
type unread struct {
	header http.Header
	status int
}

func (d *unread) Header() http.Header            { return d.header }
func (d *unread) WriteHeader(status int)         { d.status = status }
func (d *unread) Write(text []byte) (int, error) { return len(text), nil }

// TestChallengesThatAreNeverUsedCostNoMemory asks 200 000 of them, or ten million with PICOAUTH_LONG=1, a third for an
// address of their own, a third for the one that signs in meanwhile and a third for none.
func TestChallengesThatAreNeverUsedCostNoMemory(t *testing.T) {
	number := 200_000
	if os.Getenv("PICOAUTH_LONG") == "1" {
		number = 10_000_000
	}
	s := startTarget(t, map[string]any{"challenge_ttl_seconds": 3600})
	victim := newWallet(t, "Ed25519")
	early := s.signInBody(victim)
	before := heapInUse()

	var most, asked atomic.Int64
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for n := asked.Add(1); n <= int64(number); n = asked.Add(1) {
				body := `{"address":"` + victim.Address + `"}`
				switch n % 3 {
				case 0:
					body = `{"address":"stranger` + strconv.FormatInt(n, 10) + `"}`
				case 1:
					body = "{}"
				}
				if status := s.flood(body); status != http.StatusOK {
					t.Errorf("status %d", status)
					return
				}
				if n%int64(number/50) == 0 {
					s.post("/sign-in", s.signInBody(victim)).tokens(t)
					most.Store(max(most.Load(), heapInUse()-before))
				}
			}
		})
	}
	wg.Wait()
	s.post("/sign-in", early).tokens(t)
	assert.Less(t, most.Load(), int64(16<<20), "bytes of growth")
	t.Logf("%d challenges: heap grew by %d KiB", number, most.Load()/1024)
}

// flood asks a challenge in process, as cheaply as the server's own handler allows.
func (s *target) flood(body string) int {
	request, err := http.NewRequest(http.MethodPost, serverauth.Prefix+"/challenge", io.NopCloser(strings.NewReader(body)))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.RemoteAddr = "192.0.2.1:1"
	d := &unread{header: http.Header{}}
	s.echo.ServeHTTP(d, request)
	return d.status
}

func heapInUse() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
