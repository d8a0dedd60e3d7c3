package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const (
	progressDelay    = time.Second // shorter work needs no bar
	progressInterval = 200 * time.Millisecond
	progressWidth    = 30
)

// progress shows a bar on standard error, if that is a terminal, after progressDelay and until stop is called. done returns
// a fraction from 0 to 1; a negative one is unknown, and the seconds are shown.
func progress(c *cobra.Command, what string, done func() float64) (stop func()) {
	file, ok := terminalOf(c.ErrOrStderr())
	if !ok {
		return func() {}
	}
	ended, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		ticker := time.NewTicker(progressInterval)
		defer ticker.Stop()
		drawProgress(file, what, done, ticker.C, ended)
	}()
	return func() { close(ended); <-gone }
}

func drawProgress(w io.Writer, what string, done func() float64, ticks <-chan time.Time, ended <-chan struct{}) {
	began := time.Now()
	drawn := false
	for {
		select {
		case <-ended:
			if drawn {
				fmt.Fprint(w, "\r\x1b[K")
			}
			return
		case now := <-ticks:
			if took := now.Sub(began); took >= progressDelay {
				drawn = true
				fmt.Fprintf(w, "\r\x1b[K%s", progressLine(what, done(), took))
			}
		}
	}
}

func progressLine(what string, share float64, took time.Duration) string {
	if share < 0 {
		return fmt.Sprintf("%s … %d s", what, int(took.Seconds()))
	}
	full := int(min(share, 1) * progressWidth)
	return fmt.Sprintf("%s [%s%s] %3d %%", what, strings.Repeat("#", full), strings.Repeat(".", progressWidth-full), int(min(share, 1)*100))
}
