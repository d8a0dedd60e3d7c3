package examples_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/testutil/services"
)

// settle is how long a process is left alone before its idle memory is read.
const settle = 3 * time.Second

// BenchmarkColdStart starts the standalone server as a process, in a folder of its own, and asks for /jwks until there
// is an answer. "first" has to make its keys, whose generation is reported as keygen-ms: two of them, the one that signs
// and its spare. "again" finds them.
func BenchmarkColdStart(b *testing.B) {
	require.NoError(b, build())
	for _, algorithm := range []string{"EdDSA", "RS256"} {
		b.Run(algorithm, func(b *testing.B) {
			var first, again, generation []time.Duration
			for b.Loop() {
				dir := b.TempDir()
				generation = append(generation, generate(b, algorithm))
				for _, times := range []*[]time.Duration{&first, &again} {
					p := startStandalone(b, dir, algorithm)
					*times = append(*times, p.answered)
					p.end()
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(milliseconds(first), "first-ms")
			b.ReportMetric(milliseconds(again), "again-ms")
			b.ReportMetric(milliseconds(generation), "keygen-ms")
		})
	}
}

// BenchmarkIdleMemory is the resident memory of the standalone server when it has started and has nothing to do, with
// its memory that is backed by files, such as the program itself, and without.
func BenchmarkIdleMemory(b *testing.B) {
	require.NoError(b, build())
	p := startStandalone(b, b.TempDir(), "RS256")
	defer p.end()
	time.Sleep(settle)
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		b.Fatal("needs /proc of Linux")
	}
	for b.Loop() {
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(mebibytes(string(text), "VmRSS"), "MiB")
	b.ReportMetric(mebibytes(string(text), "RssAnon"), "MiB-anonymous")
}

type standalone struct {
	command  *exec.Cmd
	answered time.Duration // from the start to the first answer
}

func startStandalone(b *testing.B, dir, algorithm string) *standalone {
	b.Helper()
	port := strconv.Itoa(services.FreePort(b))
	command := exec.Command(filepath.Join(programFolder, "standalone"))
	command.Dir = dir
	command.Env = []string{"APP__PORT=" + port, "APP__LOG_LEVEL=error", "SERVER_AUTH__ALGORITHM=" + algorithm,
		"SERVER_AUTH__ISSUER=http://127.0.0.1:" + port, "GOCOVERDIR=" + dir}
	command.Stderr = os.Stderr
	start := time.Now()
	require.NoError(b, command.Start())
	p := &standalone{command: command}
	b.Cleanup(p.end)
	for deadline := start.Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		reply, err := http.Get("http://127.0.0.1:" + port + "/api/v1/auth/jwks")
		if err == nil {
			p.answered = time.Since(start)
			require.NoError(b, reply.Body.Close())
			require.Equal(b, http.StatusOK, reply.StatusCode)
			return p
		}
	}
	b.Fatal("the server does not answer")
	return nil
}

func (p *standalone) end() {
	if p.command.ProcessState == nil {
		_ = p.command.Process.Signal(os.Interrupt)
		_ = p.command.Wait()
	}
}

// generate measures how long a ring takes to make its first keys.
func generate(b *testing.B, algorithm string) time.Duration {
	cfg := keys.DefaultConfig()
	cfg.Algorithm = algorithm
	start := time.Now()
	_, err := keys.Open(context.Background(), keys.NewMemoryStore(), cfg)
	require.NoError(b, err)
	return time.Since(start)
}

// milliseconds is the median.
func milliseconds(times []time.Duration) float64 {
	slices.Sort(times)
	return float64(times[len(times)/2].Microseconds()) / 1000
}

// mebibytes reads a line of /proc/PID/status.
func mebibytes(status, name string) float64 {
	_, rest, _ := strings.Cut(status, name+":")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kibibytes, _ := strconv.ParseFloat(fields[0], 64)
	return kibibytes / 1024
}
