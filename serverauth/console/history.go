package console

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/internal/every"
)

const (
	historyStep   = 5 * time.Minute
	historyLength = 72 // six hours
	success       = "success"
)

// counted are the metrics of sign-ins and refreshes, successful or refused.
var counted = []string{"picoauth_sign_ins_total", "picoauth_logins_total", "picoauth_refreshes_total"}

// metrics are the gathered metrics by name.
type metrics map[string]*dto.MetricFamily

func readMetrics(from prometheus.Gatherer) metrics {
	all := make(metrics)
	if from == nil {
		return all
	}
	families, _ := from.Gather() // after an error, use what was gathered; a missing metric is 0
	for _, family := range families {
		all[family.GetName()] = family
	}
	return all
}

// sum adds up the series of a metric: all, or those with a label, given as name and value.
func (m metrics) sum(name string, label ...string) (total float64) {
	for _, series := range m[name].GetMetric() {
		if len(label) == 0 || labelOf(series, label[0]) == label[1] {
			total += series.GetCounter().GetValue() + series.GetGauge().GetValue()
		}
	}
	return total
}

func labelOf(series *dto.Metric, name string) string {
	for _, pair := range series.GetLabel() {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}

// outcomes returns the sums of the counted metrics by outcome. A successful refresh has the outcome "refresh", because it
// is not a sign-in.
func (m metrics) outcomes() map[string]float64 {
	sums := make(map[string]float64)
	for _, name := range counted {
		for _, series := range m[name].GetMetric() {
			outcome := labelOf(series, "outcome")
			if outcome == success && name == "picoauth_refreshes_total" {
				outcome = "refresh"
			}
			sums[outcome] += series.GetCounter().GetValue()
		}
	}
	return sums
}

// history keeps samples of this process's counters: one every five minutes, for six hours.
type history struct {
	metrics prometheus.Gatherer
	now     app.Clock
	mu      sync.Mutex
	samples []sample
}

type sample struct {
	at   time.Time
	sums map[string]float64
}

func newHistory(from prometheus.Gatherer, now app.Clock) *history {
	h := &history{metrics: from, now: now}
	h.take()
	return h
}

func (h *history) run(ctx context.Context) {
	every.Interval(ctx, historyStep, h.take)
}

func (h *history) take() {
	s := sample{h.now(), readMetrics(h.metrics).outcomes()}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.samples = append(h.samples, s)
	h.samples = h.samples[max(0, len(h.samples)-historyLength):]
}

// charts returns the successes and the refusals of each step, up to now.
func (h *history) charts(now metrics) (good, bad chart) {
	h.mu.Lock()
	samples := append(slices.Clone(h.samples), sample{h.now(), now.outcomes()})
	h.mu.Unlock()
	steps := make([]map[string]float64, len(samples)-1)
	for i := range steps {
		steps[i] = make(map[string]float64)
		for outcome, sum := range samples[i+1].sums {
			if grown := sum - samples[i].sums[outcome]; grown > 0 {
				steps[i][outcome] = grown
			}
		}
	}
	from, to := samples[0].at, samples[len(samples)-1].at
	isGood := func(outcome string) bool { return outcome == success || outcome == "refresh" }
	good, bad = newChart(steps, from, to, isGood), newChart(steps, from, to, func(outcome string) bool { return !isGood(outcome) })
	for i := range good.Series {
		good.Series[i].Name = map[string]string{success: "sign-ins", "refresh": "refreshes"}[good.Series[i].Name]
	}
	return good, bad
}

// chart is a plot of stacked bars, one for each step.
type chart struct {
	From, To time.Time
	Most     float64
	Series   []series // largest total first
	Bars     []bar
}

// series is one outcome. Class is the CSS class of its colour.
type series struct {
	Name  string
	Class string
	Total float64
}

// bar is a rectangle of the plot, in its coordinates.
type bar struct {
	Class               string
	X, Y, Width, Height float64
}

const (
	chartWidth, chartHeight = 720.0, 160.0
	maxSeries               = 5 // with a colour of their own; the others share one
)

func newChart(steps []map[string]float64, from, to time.Time, wanted func(string) bool) chart {
	c := chart{From: from, To: to}
	totals := make(map[string]float64)
	for _, step := range steps {
		height := 0.0
		for outcome, n := range step {
			if wanted(outcome) {
				totals[outcome] += n
				height += n
			}
		}
		c.Most = max(c.Most, height)
	}
	for outcome, total := range totals {
		c.Series = append(c.Series, series{Name: outcome, Total: total})
	}
	slices.SortFunc(c.Series, func(a, b series) int { return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Name, b.Name)) })
	for i := range c.Series {
		c.Series[i].Class = "c" + strconv.Itoa(min(i, maxSeries))
	}
	width := chartWidth / historyLength
	for i, step := range steps {
		y := chartHeight
		for _, s := range c.Series {
			if n := step[s.Name]; n > 0 {
				height := n / c.Most * chartHeight
				y -= height
				c.Bars = append(c.Bars, bar{s.Class, chartWidth - float64(len(steps)-i)*width, y, width - 1, height})
			}
		}
	}
	return c
}
