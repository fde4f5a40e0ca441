package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// group is a cluster and what is measured on it, in order.
type group struct {
	pds, stores int
	filled      bool // every key is written first
	lines       []line
}

// line is one measurement.
type line struct {
	name    string
	measure func(context.Context, *env) (Values, error)
}

// loads are the raw operations of one cluster, and YCSB's.
func loads(stores int) group {
	g := group{pds: 1, stores: stores, filled: true}
	prefix := fmt.Sprintf("%dstore", stores)
	if stores > 1 {
		prefix += "s"
	}
	add := func(name string, load func(context.Context, *env) (Values, error)) {
		g.lines = append(g.lines, line{prefix + "/" + name, func(ctx context.Context, e *env) (Values, error) {
			return loaded(e, func() (Values, error) { return load(ctx, e) })
		}})
	}
	for _, operation := range []string{"get", "put"} {
		for _, clients := range []int{1, 16, 64, 128} {
			add(fmt.Sprintf("%s/batched/%d", operation, clients), func(ctx context.Context, e *env) (Values, error) {
				return e.batched(ctx, operation, clients)
			})
			add(fmt.Sprintf("%s/unary/%d", operation, clients), func(ctx context.Context, e *env) (Values, error) {
				return e.unary(ctx, operation, clients)
			})
		}
	}
	// An update of the original's loader reads the row first: our workload f.
	for _, w := range []struct{ name, workload string }{{"load", ""}, {"a", "f"}, {"c", "c"}} {
		for _, clients := range []int{16, 64, 128} {
			add(fmt.Sprintf("ycsb-%s/%d", w.name, clients), func(ctx context.Context, e *env) (Values, error) {
				return e.ycsb(ctx, w.workload, clients)
			})
		}
	}
	return g
}

// groups are all lines.  Those whose cluster is disturbed start one of their own.
func groups() []group {
	return []group{
		{pds: 1, stores: 1, lines: []line{{"idle/store", idleStore}, {"idle/pd", idlePD}}},
		loads(1),
		loads(3),
		{lines: []line{
			{"start/empty", startEmpty},
			{"start/stopped-1gb", func(ctx context.Context, e *env) (Values, error) { return restart(ctx, e, false) }},
			{"start/killed-1gb", func(ctx context.Context, e *env) (Values, error) { return restart(ctx, e, true) }},
			{"start/pd", startPD},
			{"start/pd-again", restartPD},
		}},
		{pds: 1, lines: []line{
			{"tso/one-by-one", func(ctx context.Context, e *env) (Values, error) { return tsoStream(ctx, e) }},
			{"tso/client-100", func(ctx context.Context, e *env) (Values, error) { return tsoClient(ctx, e, 100) }},
			{"tso/client-1000", func(ctx context.Context, e *env) (Values, error) { return tsoClient(ctx, e, 1000) }},
		}},
		{pds: 1, lines: []line{{"heartbeat/regions", heartbeats}}},
		{lines: []line{
			{"failover/store-killed", failoverStore},
			{"failover/pd-killed", func(ctx context.Context, e *env) (Values, error) { return failoverPD(ctx, e, "kill") }},
			{"failover/pd-resigned", func(ctx context.Context, e *env) (Values, error) { return failoverPD(ctx, e, "resign") }},
		}},
	}
}

// picked are the groups with only the lines that match.
func picked(filter *regexp.Regexp) []group {
	var out []group
	for _, g := range groups() {
		var lines []line
		for _, l := range g.lines {
			if filter.MatchString(l.name) {
				lines = append(lines, l)
			}
		}
		if g.lines = lines; len(lines) > 0 {
			out = append(out, g)
		}
	}
	return out
}

func printLines(filter *regexp.Regexp) error {
	for _, g := range picked(filter) {
		for _, l := range g.lines {
			fmt.Println(l.name)
		}
	}
	return nil
}

// measureAll goes through the groups; in each round each build has its turn.  Returns how many
// lines failed.
func (e *env) measureAll(ctx context.Context, run *Run, builds []string, rounds int, filter *regexp.Regexp) (int, error) {
	marks, err := loadMarks()
	if err != nil {
		return 0, err
	}
	chosen := picked(filter)
	if len(chosen) == 0 {
		return 0, fmt.Errorf("no line matches %q; --list shows them", filter)
	}
	failed := 0
	for round := range rounds {
		for _, g := range chosen {
			for _, build := range builds {
				if len(builds) > 1 || rounds > 1 {
					fmt.Printf("\nround %d of %s\n", round+1, build)
				}
				e.binDir = build
				for _, r := range e.measureGroup(ctx, g, marks) {
					r.Round, r.Build = round+1, build
					run.Results = append(run.Results, r)
					if r.Error != "" {
						failed++
					}
				}
				if ctx.Err() != nil {
					return failed, ctx.Err()
				}
			}
		}
	}
	return failed, nil
}

func (e *env) measureGroup(ctx context.Context, g group, marks []Mark) (results []Result) {
	defer e.stop()
	if g.pds > 0 {
		err := e.start(ctx, g.pds, g.stores)
		if err == nil && g.filled {
			err = e.fill(ctx)
			e.settle()
		}
		if err != nil {
			return []Result{failure(g.lines[0].name, err)}
		}
	}
	before, err := calibrate(e.tmp)
	if err != nil {
		return []Result{failure(g.lines[0].name, err)}
	}
	for _, l := range g.lines {
		if ctx.Err() != nil {
			return results
		}
		e.line = l.name
		v, err := l.measure(ctx, e)
		if err != nil {
			results = append(results, failure(l.name, err))
			continue
		}
		after, err := calibrate(e.tmp)
		if err != nil {
			return append(results, failure(l.name, err))
		}
		r := Result{Line: l.name, Values: v, Calibration: between(before, after)}
		r.Verdicts = judge(marks, l.name, v, r.Calibration)
		before = after
		r.print()
		results = append(results, r)
	}
	return results
}

func failure(line string, err error) Result {
	fmt.Fprintf(os.Stderr, "%-26s FAILED: %v\n", line, err)
	return Result{Line: line, Error: err.Error()}
}

// shown are the values of a printed line, in order; others are in the file only.
var shown = []struct{ key, format string }{
	{"cpu_us_per_op", "%.1f us CPU"}, {"pd_cpu_us_per_op", "PD %.2f"}, {"client_cpu_us_per_op", "client %.1f"},
	{"ops_per_second", "%.0f/s"}, {"p50_us", "p50 %.0f"}, {"p99_us", "p99 %.0f"}, {"p999_us", "p99.9 %.0f us"},
	{"per_second_and_core", "%.0f/s and core"}, {"seconds", "%.3f s"}, {"data_mb", "%.0f MB of values"}, {"gap_seconds", "gap %.3f s"},
	{"cpu_percent", "%.2f %% of a core"}, {"rss_mb", "%.0f MB"}, {"written_bytes_per_op", "%.0f B written"},
	{"written_bytes_per_second", "%.0f B/s written"}, {"syncs_per_op", "%.3f syncs"}, {"syncs_per_second", "%.2f syncs/s"},
	{"switches_per_op", "%.2f switches"}, {"threads", "%.0f threads"}, {"binary_mb", "binary %.0f MB"},
	{"errors", "%.0f ERRORS"}, {"others_percent", "others %.0f %%"},
}

func (r Result) print() {
	var parts []string
	for _, s := range shown {
		if value, ok := r.Values[s.key]; ok && (s.key != "errors" || value > 0) {
			parts = append(parts, fmt.Sprintf(s.format, value))
		}
	}
	fmt.Printf("%-24s %s\n", r.Line, strings.Join(parts, ", "))
	for _, v := range r.Verdicts {
		fmt.Printf("%-24s   %s %.4g", "", v.Metric, v.Ours)
		if v.Original > 0 {
			fmt.Printf(", the original %.4g: %.1fx", v.Original, v.Ratio)
		}
		if v.Wanted != "" {
			fmt.Printf(", wanted %s: %s", v.Wanted, strings.ToUpper(v.Grade))
		}
		fmt.Println()
	}
	if r.Calibration.Drift > 0.1 {
		fmt.Printf("%-24s   (the machine's speed moved by %.0f %%: measure again)\n", "", r.Calibration.Drift*100)
	}
}
