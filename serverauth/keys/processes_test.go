package keys_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/keys"
)

// childEnv makes the test binary one of several server processes on a key folder: "race" or "work".
const childEnv = "PICOAUTH_KEYS_CHILD"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(childEnv) {
	case "":
		os.Exit(m.Run())
	case "race":
		err = childRace(os.Args[1], os.Stdout)
	case "work":
		err = childWork(os.Args[1], os.Args[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func child(t *testing.T, mode string, args ...string) *exec.Cmd {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), binary, args...)
	command.Env = append(os.Environ(), childEnv+"="+mode)
	command.Stderr = os.Stderr
	return command
}

// answer is what a child says of the ring that it sees.
type answer struct {
	Signer, Secret string
	Keys           []string
}

func childRace(dir string, out *os.File) error {
	store, err := keys.OpenFileStore(context.Background(), dir, nil, nil)
	if err != nil {
		return err
	}
	cfg := keys.DefaultConfig()
	cfg.Algorithm = "ES256"
	ring, err := keys.Open(context.Background(), store, cfg)
	if err != nil {
		return err
	}
	secret, err := ring.Secret(context.Background(), "refresh")
	if err != nil {
		return err
	}
	signer, err := ring.Signer()
	if err != nil {
		return err
	}
	a := answer{Signer: signer.KeyID, Secret: fmt.Sprintf("%x", secret)}
	for _, key := range ring.List() {
		a.Keys = append(a.Keys, key.ID)
	}
	slices.Sort(a.Keys)
	return json.NewEncoder(out).Encode(a)
}

// Processes that start at once on an empty folder agree on the keys, and make one set of them.
func TestProcessesRaceForTheFirstKey(t *testing.T) {
	for round := range 5 {
		dir := filepath.Join(t.TempDir(), "keys")
		children := make([]*exec.Cmd, 4)
		outputs := make([]*bufio.Reader, len(children))
		for i := range children {
			children[i] = child(t, "race", dir)
			pipe, err := children[i].StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			outputs[i] = bufio.NewReader(pipe)
			if err := children[i].Start(); err != nil {
				t.Fatal(err)
			}
		}
		var first answer
		for i, output := range outputs {
			var a answer
			if err := json.NewDecoder(output).Decode(&a); err != nil {
				t.Fatal(err)
			}
			if err := children[i].Wait(); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = a
			}
			if a.Signer != first.Signer || a.Secret != first.Secret || !slices.Equal(a.Keys, first.Keys) || len(a.Keys) != 2 {
				t.Fatalf("round %d: %+v and %+v", round, first, a)
			}
		}
	}
}

// childWork rotates and reports thefts on a clock of its own that runs fast, and prints what it was told, until it is
// killed.
func childWork(dir, from string) error {
	ctx := context.Background()
	store, err := keys.OpenFileStore(ctx, dir, nil, nil)
	if err != nil {
		return err
	}
	c := newClock()
	now, err := time.Parse(time.RFC3339, from)
	if err != nil {
		return err
	}
	c.Add(now.Sub(start))
	ring, err := keys.Open(ctx, store, config(c))
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		c.Add(20 * time.Minute)
		if err := ring.Tick(ctx); err != nil {
			return err
		}
		signer, err := ring.Signer()
		if err != nil {
			return err
		}
		if i%5 == 4 {
			if _, err := ring.Compromise(ctx, signer.KeyID); err != nil {
				return err
			}
			fmt.Println("stolen", signer.KeyID)
			continue
		}
		key, err := ring.Rotate(ctx)
		if err != nil {
			return err
		}
		fmt.Println("rotated", key.ID)
	}
}

// A process that is killed at any moment leaves a folder from which the next one starts, with all that was answered.
func TestKilledWhileWriting(t *testing.T) {
	kills := 10
	if os.Getenv("PICOAUTH_LONG") == "1" {
		kills = 400
	}
	dir := filepath.Join(t.TempDir(), "keys")
	c := newClock()
	dead := map[string]bool{}
	answered := 0
	for range kills {
		rotated := killedChild(t, dir, c.Now(), dead)
		answered += len(rotated)
		if damaged, _ := filepath.Glob(filepath.Join(dir, "*.corrupt")); len(damaged) > 0 {
			t.Fatalf("damaged: %v", damaged)
		}
		store := openFiles(t, dir, nil)
		records := load(t, store)
		for id, r := range records {
			if err := r.Validate(); err != nil {
				t.Fatalf("%s: %v", id, err)
			}
		}
		for kid := range dead {
			if records[kid].CompromisedAt.IsZero() {
				t.Fatalf("%s was reported stolen and lives", kid)
			}
		}
		if n := len(rotated); n > 0 && records[rotated[n-1]].ActivatesAt.IsZero() {
			t.Fatalf("the rotation to %s was forgotten", rotated[n-1])
		}
		c.Add(30 * 24 * time.Hour) // later than the child's clock
		ring := open(t, store, config(c))
		if dead[signerID(t, ring)] || len(inState(ring, keys.StatePending)) == 0 {
			t.Fatalf("%v", ring.List())
		}
	}
	if answered == 0 {
		t.Fatal("no child came to its work")
	}
	t.Logf("%d rotations and %d thefts were answered", answered, len(dead))
}

// killedChild lets a child work for a moment. It returns the rotations that were answered, and adds the thefts to
// dead.
func killedChild(t *testing.T, dir string, now time.Time, dead map[string]bool) (rotated []string) {
	t.Helper()
	command := child(t, "work", dir, now.Format(time.RFC3339))
	pipe, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(pipe)
	deadline := 1 + rand.IntN(20)
	for count := 0; lines.Scan(); count++ {
		if count == deadline {
			go func() { // in the middle of the next change
				for range rand.IntN(20_000) {
					_ = time.Now()
				}
				_ = command.Process.Kill()
			}()
		}
		switch word, kid, _ := strings.Cut(lines.Text(), " "); word {
		case "rotated":
			rotated = append(rotated, kid)
		case "stolen":
			dead[kid] = true
		}
	}
	var exit *exec.ExitError
	if err := command.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the child ended by itself: %v", err)
	}
	return rotated
}
