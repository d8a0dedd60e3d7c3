package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
)

// show rewrites the line of progress.
func show(out io.Writer, targets []*target, elapsed time.Duration) {
	line := fmt.Sprintf("%3.0f s", elapsed.Seconds())
	for _, t := range targets {
		line += fmt.Sprintf("   %s %.0f/s, p50 %s, p99 %s, errors %d", t.name, t.rate(), short(t.latencies.quantile(.5)), short(t.latencies.quantile(.99)), t.failed.Load())
	}
	fmt.Fprintf(out, "\r%-110s", line)
}

// report prints the figures, with what they were measured on and how.
func report(out io.Writer, cfg config, targets []*target) {
	fmt.Fprintf(out, "machine   %s, %d cores, %s/%s, %s\n", processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	fmt.Fprintf(out, "command   load %s\n", cfg)
	fmt.Fprintf(out, "tokens    signed with %s\n\n", targets[0].signing)
	fmt.Fprintf(out, "%-9s %12s %10s %10s %8s\n", "", "throughput", "p50", "p99", "errors")
	for _, t := range targets {
		fmt.Fprintf(out, "%-9s %10.0f/s %10s %10s %8d\n", t.name, t.rate(), short(t.latencies.quantile(.5)), short(t.latencies.quantile(.99)), t.failed.Load())
	}
	if len(targets) == 2 {
		fmt.Fprintf(out, "%-9s %12.2f\n", "ratio", targets[0].ratio(targets[1]))
	}
	for _, t := range targets {
		if failure := t.failure(); failure != "" {
			fmt.Fprintf(out, "\nfirst error of the %s: %s\n", t.name, failure)
		}
	}
}

// String is the command line.
func (c config) String() string {
	line := fmt.Sprintf("--url %s --mode %s --algorithm %s --connections %d --duration %s", c.url, c.mode, c.algorithm, c.connections, c.duration)
	if c.mode == modeProtected || c.mode == modeMix {
		line += " --path " + c.path
	}
	if c.baseline {
		line += " --baseline"
	}
	return line
}

// report prints what was seen of an open loop.
func (o *openLoop) report(out io.Writer) {
	seconds := o.took.Seconds()
	fmt.Fprintf(out, "machine   %s, %d cores, %s/%s, %s\n", processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	fmt.Fprintf(out, "command   load --url %s --rate %d --addresses %d --algorithm %s --connections %d --duration %s --path %s\n",
		o.cfg.url, o.cfg.rate, o.cfg.addresses, o.cfg.algorithm, o.cfg.connections, o.cfg.duration, o.cfg.path)
	fmt.Fprintf(out, "tokens    signed with %s\n\n", o.target.signing)
	fmt.Fprintf(out, "best rate %10.0f/s in a closed loop of %d connections\n", o.best, o.cfg.connections)
	fmt.Fprintf(out, "sent      %10.0f/s, %.1f times the best, over %d connections (%d could not be sent)\n",
		float64(o.sent)/seconds, float64(o.sent)/seconds/o.best, o.connections, o.unsent)
	rate := float64(o.served.total.Load()) / seconds
	fmt.Fprintf(out, "served    %10.0f/s, %.2f of the best   p50 %s   p99 %s\n", rate, rate/o.best, short(o.served.quantile(.5)), short(o.served.quantile(.99)))
	fmt.Fprintf(out, "refused   %10.0f/s                     p50 %s   p99 %s\n",
		float64(o.refused.total.Load())/seconds, short(o.refused.quantile(.5)), short(o.refused.quantile(.99)))
	fmt.Fprintf(out, "failed    %10d\n", o.failed.total.Load())
	if o.memory > 0 {
		fmt.Fprintf(out, "memory    %10.0f MB resident at most\n", o.memory/1e6)
	}
	fmt.Fprintln(out)
	for _, p := range o.probes {
		fmt.Fprintf(out, "%-20s %5d replies   p50 %s   p99 %s   max %s   %d failed\n", p.path, p.replies.total.Load(),
			short(p.replies.quantile(.5)), short(p.replies.quantile(.99)), short(p.replies.quantile(1)), p.failed.total.Load())
	}
	if err := o.failed.first.Load(); err != nil {
		fmt.Fprintf(out, "\nfirst error: %v\n", *err)
	}
}

// short rounds a latency to three digits.
func short(latency time.Duration) string {
	precision := time.Duration(1)
	for latency/precision >= 1000 {
		precision *= 10
	}
	return latency.Round(precision).String()
}

// processor is the processor's name, where Linux tells it.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}
