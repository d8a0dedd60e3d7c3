package storetest

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/store"
)

// Victim is a storage on which a process works that is killed.
type Victim struct {
	// URL is what Open opens, in this process and in the one that is killed.
	URL  string
	Open func(tb testing.TB, url string) *store.Stores
	// Kill kills the storage's server instead, and has it running again when it returns; nil: the process is killed.
	Kill func(tb testing.TB)
}

// childVariable tells a process that it is there to be killed, and holds the URL.
const childVariable = "PICOAUTH_STORETEST_CHILD"

// IsVictim tells whether this process is one that Kill has started: it needs no server of its own.
func IsVictim() bool { return os.Getenv(childVariable) != "" }

// Kill has a process of its own make sessions, refresh and end them, spend nonces, revoke, and write the mint audit, and
// kills it at random moments, as kill -9 does: all that was answered is there afterwards, and nothing is accepted
// twice. The process is the same test, which must come to Kill by its name alone. PICOAUTH_LONG=1 kills 200 times.
func Kill(t *testing.T, v Victim) {
	t.Helper()
	if IsVictim() {
		work(t, v.Open(t, os.Getenv(childVariable)))
		return
	}
	kills := 4
	if long() {
		kills = 200
	}
	var all answers
	for n := range kills {
		for _, line := range v.killOne(t) {
			all.add(line)
		}
		if !t.Run(strconv.Itoa(n+1), func(t *testing.T) { all.check(t, v.Open(t, v.URL)) }) {
			return
		}
	}
	t.Logf("%d answers before %d kills", all.count, kills)
}

// killOne starts a process and kills it, or the server, a moment after its first answer. It returns what it answered.
func (v Victim) killOne(t *testing.T) (lines []string) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$", "-test.v")
	child.Env = append(os.Environ(), childVariable+"="+v.URL)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	killed := make(chan struct{})
	started := false
	reader := bufio.NewReader(out)
	for {
		line, err := reader.ReadString('\n')
		if err != nil { // a line that is not whole was not answered
			break
		}
		if rest, mine := strings.CutPrefix(line, answerPrefix); mine {
			lines = append(lines, strings.TrimSpace(rest))
			if !started {
				started = true
				time.AfterFunc(time.Duration(rand.IntN(100_000))*time.Microsecond, func() {
					defer close(killed)
					if v.Kill != nil {
						v.Kill(t)
						return
					}
					_ = child.Process.Kill() // it may have ended: then there are no answers
				})
			}
		}
	}
	_ = child.Wait() // it was killed
	if !started {
		t.Fatal("the process does not answer anything")
	}
	<-killed
	return lines
}

const answerPrefix = "answer: "

// answer tells that something was answered.
func answer(kind, id string, more ...any) {
	fmt.Fprintln(os.Stdout, strings.TrimSpace(fmt.Sprintln(append([]any{answerPrefix + kind, id}, more...)...)))
}
