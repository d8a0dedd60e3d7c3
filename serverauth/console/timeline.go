package console

import "time"

// timeline shows when each key is pending, active and retired.
type timeline struct {
	Rows   []timelineRow
	Height int
	Now    float64
	From   time.Time
	To     time.Time
}

type timelineRow struct {
	KID, State string
	Y          int
	Bars       []bar
}

const timelineRowHeight = 28

func newTimeline(keys []key, now time.Time) timeline {
	t := timeline{From: now.Add(-time.Hour), To: now.Add(24 * time.Hour), Height: timelineRowHeight * len(keys)}
	times := make([][3]time.Time, len(keys)) // created, signs from, signs until
	for i, k := range keys {
		for j, text := range []string{k.CreatedAt, k.ActivatesAt, k.RetiresAt} {
			if at, err := time.Parse(time.RFC3339, text); err == nil {
				times[i][j] = at
				if at.Before(t.From) {
					t.From = at
				}
				if at.Add(time.Hour).After(t.To) {
					t.To = at.Add(time.Hour)
				}
			}
		}
	}
	x := func(at time.Time) float64 {
		return float64(at.Sub(t.From)) / float64(t.To.Sub(t.From)) * chartWidth
	}
	t.Now = x(now)
	for i, k := range keys {
		row := timelineRow{KID: k.KID, State: k.State, Y: i*timelineRowHeight + 20}
		created, from, until := times[i][0], times[i][1], times[i][2]
		if created.IsZero() {
			continue
		}
		if until.IsZero() {
			until = t.To
		}
		if from.IsZero() || from.After(until) {
			from = until
		}
		add := func(class string, begin, end time.Time) {
			if width := x(end) - x(begin); width > 0 {
				row.Bars = append(row.Bars, bar{class, x(begin), float64(i*timelineRowHeight + 4), max(width, 2), timelineRowHeight - 10})
			}
		}
		add("pending", created, from)
		add("active", from, until)
		if k.State == "retired" {
			add("retired", until, t.To)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
