package console

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHistoryPlotsWhatHappenedInEachStep(t *testing.T) {
	registry := prometheus.NewRegistry()
	signIns := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "picoauth_sign_ins_total"}, []string{"algorithm", "outcome"})
	refreshes := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "picoauth_refreshes_total"}, []string{"outcome"})
	registry.MustRegister(signIns, refreshes)
	signIns.WithLabelValues("eip191", success).Add(100) // before the first sample
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	h := newHistory(registry, func() time.Time { return now })

	signIns.WithLabelValues("eip191", success).Add(3)
	signIns.WithLabelValues("Ed25519", success).Add(1)
	signIns.WithLabelValues("eip191", "invalid_signature").Add(2)
	refreshes.WithLabelValues(success).Add(4)
	now = now.Add(historyStep)
	h.take()
	refreshes.WithLabelValues("refresh_reused").Add(5)
	now = now.Add(historyStep)
	good, bad := h.charts(readMetrics(registry))

	assert.Equal(t, []series{{"refreshes", "c0", 4}, {"sign-ins", "c1", 4}}, good.Series)
	assert.Equal(t, 8.0, good.Most)
	require.Len(t, good.Bars, 2)
	assert.InDelta(t, chartHeight, good.Bars[0].Height+good.Bars[1].Height, 1e-9, "the highest bar is as high as the plot")
	assert.InDelta(t, 0, good.Bars[1].Y, 1e-9, "one is on the other")
	assert.Equal(t, []series{{"refresh_reused", "c0", 5}, {"invalid_signature", "c1", 2}}, bad.Series)
	require.Len(t, bad.Bars, 2)
	assert.Less(t, bad.Bars[0].X, bad.Bars[1].X, "the later one is to the right")
	assert.InDelta(t, chartWidth/historyLength-1, bad.Bars[1].Width, 1e-9)

	for range 3 * historyLength {
		now = now.Add(historyStep)
		h.take()
	}
	assert.Len(t, h.samples, historyLength)
	good, _ = h.charts(readMetrics(registry))
	assert.Empty(t, good.Series, "six hours later")
}

func TestTheTimelineShowsWhenEachKeySigns(t *testing.T) {
	now := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339) }
	line := newTimeline([]key{
		{KID: "spare", State: "pending", CreatedAt: at(-time.Hour)},
		{KID: "active", State: "active", CreatedAt: at(-48 * time.Hour), ActivatesAt: at(-24 * time.Hour), RetiresAt: at(24 * time.Hour)},
		{KID: "retired", State: "retired", CreatedAt: at(-96 * time.Hour), ActivatesAt: at(-72 * time.Hour), RetiresAt: at(-24 * time.Hour)},
		{KID: "broken", State: "removed", CreatedAt: "not a time"},
	}, now)
	classes := make(map[string][]string)
	for _, row := range line.Rows {
		for _, b := range row.Bars {
			classes[row.KID] = append(classes[row.KID], b.Class)
			assert.GreaterOrEqual(t, b.X, 0.0)
			assert.LessOrEqual(t, b.X+b.Width, chartWidth+2)
		}
	}
	assert.Equal(t, []string{"pending"}, classes["spare"])
	assert.Equal(t, []string{"pending", "active"}, classes["active"])
	assert.Equal(t, []string{"pending", "active", "retired"}, classes["retired"])
	assert.True(t, line.Now > 0 && line.Now < chartWidth)
	assert.Equal(t, now.Add(-96*time.Hour), line.From)
}
