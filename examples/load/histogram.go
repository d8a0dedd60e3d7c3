package main

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Each power of two of nanoseconds has 16 buckets, so that a latency is known to 6 %.
const (
	bucketBits = 4
	buckets    = 64 << bucketBits
)

// histogram counts latencies. It is safe for concurrent use.
type histogram struct {
	counts [buckets]atomic.Uint64
	total  atomic.Uint64
}

func (h *histogram) add(latency time.Duration) {
	h.counts[bucketOf(uint64(max(latency, 1)))].Add(1)
	h.total.Add(1)
}

func bucketOf(nanoseconds uint64) int {
	power := max(bits.Len64(nanoseconds)-1-bucketBits, 0)
	return power<<bucketBits + int(nanoseconds>>power)
}

// quantile is the latency that the given share of all does not exceed, or 0 without any.
func (h *histogram) quantile(share float64) time.Duration {
	total, seen := h.total.Load(), uint64(0)
	rank := min(uint64(share*float64(total)), max(total, 1)-1)
	for bucket := range h.counts {
		if seen += h.counts[bucket].Load(); seen > rank {
			return upperEdge(bucket)
		}
	}
	return 0
}

// upperEdge is the longest latency of a bucket.
func upperEdge(bucket int) time.Duration {
	power := max(bucket>>bucketBits-1, 0)
	return time.Duration((bucket-power<<bucketBits+1)<<power - 1)
}
