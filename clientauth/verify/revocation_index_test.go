package verify_test

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/picoauth/picoauth/clientauth/verify"
)

func denied(t testing.TB, d verify.Denylist, ref verify.TokenRef) bool {
	t.Helper()
	hit, err := d.Denied(context.Background(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return hit
}

func TestWhatAnItemHits(t *testing.T) {
	x := verify.NewRevocationIndex()
	x.Apply(verify.Revocation{JTI: "j"}, verify.Revocation{SID: "s"}, verify.Revocation{Sub: "u", RevokedAt: 100}, verify.Revocation{KID: "k"})
	for _, test := range []struct {
		ref  verify.TokenRef
		want bool
	}{
		{verify.TokenRef{}, false},
		{verify.TokenRef{ID: "j"}, true},
		{verify.TokenRef{ID: "j", IssuedAt: 1 << 40}, false}, // issued after 2106
		{verify.TokenRef{ID: "s"}, false},
		{verify.TokenRef{ID: "J"}, false},
		{verify.TokenRef{SessionID: "s", IssuedAt: 1000}, true},
		{verify.TokenRef{SessionID: "j"}, false},
		{verify.TokenRef{Subject: "u", IssuedAt: 99}, true},
		{verify.TokenRef{Subject: "u", IssuedAt: 100}, true},
		{verify.TokenRef{Subject: "u", IssuedAt: 101}, false},
		{verify.TokenRef{Subject: "u"}, true},
		{verify.TokenRef{Subject: "v", WalletID: "u", IssuedAt: 100}, true},
		{verify.TokenRef{Subject: "v", WalletID: "u", IssuedAt: 101}, false},
		{verify.TokenRef{KeyID: "k", IssuedAt: 1000}, true},
		{verify.TokenRef{KeyID: "u"}, false},
	} {
		if got := denied(t, x, test.ref); got != test.want {
			t.Errorf("%+v: %v", test.ref, got)
		}
	}
}

func TestALaterItemReachesFurther(t *testing.T) {
	x := verify.NewRevocationIndex()
	x.Apply(verify.Revocation{Sub: "u", RevokedAt: 200, Exp: 500})
	x.Apply(verify.Revocation{Sub: "u", RevokedAt: 100, Exp: 900})
	if !denied(t, x, verify.TokenRef{Subject: "u", IssuedAt: 200}) || x.Len() != 1 {
		t.Error("an earlier item took back what a later one hit")
	}
	if x.Prune(time.Unix(600, 0)); x.Len() != 1 {
		t.Error("the item was forgotten too early")
	}
}

func TestPruneForgetsWhatIsOver(t *testing.T) {
	x := verify.NewRevocationIndex()
	for i := range 1000 {
		x.Apply(verify.Revocation{JTI: strconv.Itoa(i), Exp: int64(1000 + i)})
	}
	x.Apply(verify.Revocation{JTI: "for ever"})
	if n := x.Prune(time.Unix(999, 0)); n != 0 || x.Len() != 1001 {
		t.Errorf("pruned %d", n)
	}
	if n := x.Prune(time.Unix(1500, 0)); n != 500 || x.Len() != 501 {
		t.Errorf("pruned %d, %d left", n, x.Len())
	}
	if denied(t, x, verify.TokenRef{ID: "499"}) || !denied(t, x, verify.TokenRef{ID: "500"}) || !denied(t, x, verify.TokenRef{ID: "for ever"}) {
		t.Error("the wrong items were forgotten")
	}
	if n := x.Prune(time.Unix(1510, 0)); n != 0 {
		t.Errorf("it pruned again within the minute: %d", n)
	}
	if n := x.Prune(time.Unix(9999, 0)); n != 500 || x.Len() != 1 {
		t.Errorf("pruned %d, %d left", n, x.Len())
	}
}

func TestReadersSeeEveryAppliedItem(t *testing.T) {
	x := verify.NewRevocationIndex()
	x.Apply(verify.Revocation{JTI: "first"})
	stop := make(chan struct{})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if hit, _ := x.Denied(context.Background(), verify.TokenRef{ID: "first"}); !hit {
						t.Error("an item was lost for a moment")
						return
					}
				}
			}
		})
	}
	for i := range 20_000 {
		id := strconv.Itoa(i)
		x.Apply(verify.Revocation{JTI: id, Exp: int64(i)})
		if !denied(t, x, verify.TokenRef{ID: id}) {
			t.Fatalf("item %d is not effective at once", i)
		}
		if i%5000 == 0 {
			x.Prune(time.Unix(int64(i), 0))
		}
	}
	close(stop)
	group.Wait()
}

func TestAnEntryTakesLessThanAHundredBytes(t *testing.T) {
	const n = 1 << 17
	before := inUse()
	x := verify.NewRevocationIndex()
	for i := range n {
		x.Apply(verify.Revocation{JTI: fmt.Sprintf("%036d", i), Exp: 1})
	}
	per := float64(inUse()-before) / n
	t.Logf("%.0f bytes an entry", per)
	if per > 100 {
		t.Errorf("%.0f bytes an entry", per)
	}
	runtime.KeepAlive(x)
}

func BenchmarkDenied(b *testing.B) {
	for _, n := range []int{0, 1_000, 100_000, 1_000_000} {
		x := verify.NewRevocationIndex()
		for i := range n {
			x.Apply(verify.Revocation{JTI: fmt.Sprintf("%036d", i)})
		}
		refs := make([]verify.TokenRef, 1024)
		for i := range refs {
			refs[i] = verify.TokenRef{ID: fmt.Sprintf("absent-%029d", i), SessionID: "s", Subject: "u", KeyID: "k"}
		}
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				_, _ = x.Denied(context.Background(), refs[i&1023])
			}
		})
	}
}
