package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestABarAppearsAfterASecondAndIsGoneAtTheEnd(t *testing.T) {
	assert.Equal(t, "copying [###############...............]  50 %", progressLine("copying", 0.5, 0))
	assert.Equal(t, "copying [##############################] 100 %", progressLine("copying", 1.5, 0))
	assert.Equal(t, "working … 7 s", progressLine("working", -1, 7*time.Second))

	ticks, ended, gone := make(chan time.Time), make(chan struct{}), make(chan struct{})
	var out buffer
	go func() {
		defer close(gone)
		drawProgress(&out, "copying", func() float64 { return 0.5 }, ticks, ended)
	}()
	ticks <- time.Now()
	ticks <- time.Now().Add(progressDelay + time.Millisecond)
	close(ended)
	<-gone
	assert.Equal(t, "\r\x1b[Kcopying [###############...............]  50 %\r\x1b[K", out.String(), "nothing in the first second")

	var none buffer
	drawProgress(&none, "quick", nil, nil, ended)
	assert.Empty(t, none.String())
}
