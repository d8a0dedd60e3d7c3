package serverauth_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
	authstore "github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/compare"
)

// The benchmarks of memory fill something once and report what it takes; their time says nothing.

// bytesEach reports by how much the heap has grown for each of so many things.
func bytesEach(b *testing.B, what string, number int, fill func()) {
	before := heapInUse()
	fill()
	grown := heapInUse() - before
	for b.Loop() {
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(grown)/float64(number), "bytes/"+what)
}

var sizes = []int{1_000, 100_000, 1_000_000}

// BenchmarkSessionMemory is what a live session takes in the store of a single process.
func BenchmarkSessionMemory(b *testing.B) {
	for _, size := range sizes {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			store := authstore.NewInMemorySessionStore()
			bytesEach(b, "session", size, func() { fillSessions(b, store, size) })
			_, _, err := store.End(context.Background(), "") // it is alive until here
			require.NoError(b, err)
		})
	}
}

// fillSessions adds sessions as sign-ins of as many wallets would.
func fillSessions(b *testing.B, store authstore.SessionStore, number int) {
	b.Helper()
	now := time.Now()
	for i := range number {
		name := fmt.Sprintf("%064x", i)
		cutOff, err := store.Create(context.Background(), authstore.Session{
			ID:        strings.Clone(name[64-22:]),
			Subject:   authstore.Subject{ID: name, Kind: authstore.KindWallet, Algorithm: strings.Clone("Ed25519"), WalletID: strings.Clone(name[64-43:])},
			StartedAt: now.UnixMilli(), RotatedAt: now.UnixMilli(),
			ExpiresAt: now.Add(time.Hour).UnixMilli(), EndsAt: now.Add(time.Hour).UnixMilli(),
		})
		require.NoError(b, err)
		require.Zero(b, cutOff)
	}
}

// BenchmarkRefreshAmong is a refresh among so many live sessions; x_thousand is the ratio to one among a thousand.
func BenchmarkRefreshAmong(b *testing.B) {
	refreshAmong := func(b *testing.B, size int) func() {
		store := authstore.NewInMemorySessionStore()
		fillSessions(b, store, size)
		e := benchEcho(b, nil, testutil.WithSessionStore(store))
		body := firstRefresh(b, e)
		ours := newCaller(b, e, http.MethodPost, serverauth.Prefix+"/refresh")
		return func() {
			ours.call(body)
			body = refreshOf(b, &ours.reply)
		}
	}
	for _, size := range sizes {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			compare.Run(b, compare.Way{Do: refreshAmong(b, size)}, compare.Way{Name: "thousand", Do: refreshAmong(b, 1_000)})
		})
	}
}

// BenchmarkDenylistMemory is what an entry takes in the index that requests are held against.
func BenchmarkDenylistMemory(b *testing.B) {
	for _, size := range sizes {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			index := clientauth.NewRevocationIndex()
			bytesEach(b, "entry", size, func() {
				for i := range size {
					index.Apply(clientauth.Revocation{JTI: strconv.Itoa(i), Exp: 1 << 40})
				}
			})
			require.Equal(b, size, index.Len())
		})
	}
}

// BenchmarkRevokedJTIs asks for the one item that is new among so many, and for all of them.
func BenchmarkRevokedJTIs(b *testing.B) {
	for _, size := range sizes {
		store := authstore.NewInMemoryRevocationStore()
		items := make([]authstore.Revocation, size)
		for i := range items {
			items[i] = authstore.Revocation{JTI: fmt.Sprintf("%022d", i), RevokedAt: time.Now().Unix(), Reason: "logout", Exp: 1 << 40}
		}
		_, err := store.Add(b.Context(), items)
		require.NoError(b, err)
		page, err := store.Since(b.Context(), 0, 0, 5000)
		require.NoError(b, err)
		e := benchEcho(b, map[string]any{"fleet_mint_secret": benchSecret},
			fx.Decorate(func() authstore.RevocationStore { return store }))
		for name, since := range map[string]int64{"news": page.Seq - 1, "whole": 0} {
			b.Run(strconv.Itoa(size)+"/"+name, func(b *testing.B) {
				reader := newCaller(b, e, http.MethodGet, serverauth.Prefix+"/revoked-jtis?since="+strconv.FormatInt(since, 10))
				reader.request.Header.Set("X-Fleet-Secret", benchSecret)
				for b.Loop() {
					reader.call(nil)
				}
				b.ReportMetric(float64(reader.reply.Len()), "bytes")
			})
		}
	}
}

const benchSecret = "a fleet secret that is long enough for anyone"

// BenchmarkChallengeMemory is by how much the resident memory of the process grows while challenges are asked and never
// used: a hundred thousand, or ten million with PICOAUTH_LONG=1.
func BenchmarkChallengeMemory(b *testing.B) {
	number := 100_000
	if os.Getenv("PICOAUTH_LONG") == "1" {
		number = 10_000_000
	}
	ours := newCaller(b, benchEcho(b, nil), http.MethodPost, serverauth.Prefix+"/challenge")
	ask := func(i int) { ours.call([]byte(`{"address":"stranger` + strconv.Itoa(i) + `"}`)) }
	for i := range 10_000 {
		ask(i)
	}
	before := residentBytes(b)
	for i := range number {
		ask(i)
	}
	grown := residentBytes(b) - before
	for b.Loop() {
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(number), "challenges")
	b.ReportMetric(float64(grown)/(1<<20), "MiB")
}

// residentBytes is the resident memory of this process.
func residentBytes(b *testing.B) int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatal("needs /proc of Linux")
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	require.NoError(b, err)
	return pages * int64(os.Getpagesize())
}
