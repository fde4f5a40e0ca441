// bench measures a release build and holds it against the original's figures.  See README.md.
//
//	bench [flags]               measure, print, write build/bench/TIME.json
//	bench report [FILE...]      make one page of such files; default: the newest
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"

	"e2e/process/cluster"

	"github.com/pingcap/log"
)

// Values are the figures of one line, by name; the name ends in the unit.
type Values map[string]float64

// Result is one measurement of one line.
type Result struct {
	Line        string      `json:"line"`
	Build       string      `json:"build"` // folder of the programs
	Round       int         `json:"round"`
	Values      Values      `json:"values,omitempty"`
	Verdicts    []Verdict   `json:"verdicts,omitempty"`
	Calibration Calibration `json:"calibration"`
	Error       string      `json:"error,omitempty"`
}

// Run is what a file holds.
type Run struct {
	Time      string   `json:"time"`
	Commit    string   `json:"commit"`
	Placement string   `json:"placement"`
	Quick     bool     `json:"quick"`    // Too short to compare.
	Profiled  bool     `json:"profiled"` // Their CPU includes the sampling.
	Cores     int      `json:"cores"`
	Results   []Result `json:"results"`
}

// env is what lines measure with.
type env struct {
	seconds     float64 // of a load
	quick       bool
	keys        int
	binDir, tmp string
	ycsbProgram string
	// Cores of servers and of loaders; "" for any.
	serverCores, clientCores string

	profiles string // folder for samples of the servers; "" for none

	cluster *cluster.Cluster // of the group that runs
	line    string           // that runs
}

func (e *env) bin(name string) string { return filepath.Join(e.binDir, name) }

// start launches servers in a folder of their own and makes them the env's cluster.
func (e *env) start(ctx context.Context, pds, stores int) error {
	dir, err := os.MkdirTemp(e.tmp, "cluster-")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	e.cluster, err = cluster.Start(ctx, cluster.Options{Bin: e.binDir, Dir: dir, PDs: pds, Stores: stores,
		StoreConfig: "storage.block-cache.capacity = \"512MB\"\n"})
	if err != nil {
		return fmt.Errorf("%w; logs are in %s", err, dir)
	}
	return e.pinServers()
}

func (e *env) pinServers() error {
	if e.serverCores == "" {
		return nil
	}
	for _, p := range append(append([]*cluster.Process{}, e.cluster.Stores...), e.cluster.PDs...) {
		if err := pin(p.Pid(), e.serverCores); err != nil {
			return err
		}
	}
	return nil
}

func (e *env) stop() {
	if e.cluster != nil {
		e.cluster.Kill()
		os.RemoveAll(e.cluster.Opts.Dir)
		e.cluster = nil
	}
}

func main() {
	// The PD client tells its life's story.
	logger, props, _ := log.InitLogger(&log.Config{Level: "fatal"})
	log.ReplaceGlobals(logger, props)
	if err := mainOr(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func mainOr() error {
	if len(os.Args) > 1 && os.Args[1] == "report" {
		return report(os.Args[2:])
	}
	bin := flag.String("bin", "build/release/bin", "folder of the programs to measure")
	versus := flag.String("versus", "", "folder of another build: the two take turns (A B A B ...)")
	lines := flag.String("lines", "", "regular expression: measure only lines that match")
	list := flag.Bool("list", false, "print the lines and stop")
	quick := flag.Bool("quick", false, "a second per line and little data: does it work?  Not to compare")
	seconds := flag.Float64("seconds", 8, "length of each load")
	rounds := flag.Int("rounds", 1, "how often to measure everything; 5 to compare two builds")
	placement := flag.String("placement", "free", "free: anywhere; pinned: servers on core 0, loaders on the others")
	profiles := flag.String("profile", "", "folder for profiles of the servers, by perf (its samples cost CPU: not to compare)")
	out := flag.String("out", "", "file to write; default build/bench/TIME.json")
	dir := flag.String("dir", "", "folder on the disk under test; default: the temporary one")
	flag.Usage = printUsage
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("what is %q?  See --help", flag.Arg(0))
	}
	filter, err := regexp.Compile(*lines)
	if err != nil {
		return fmt.Errorf("--lines: %w", err)
	}
	if *list {
		return printLines(filter)
	}
	e := &env{seconds: *seconds, quick: *quick, keys: 100_000, profiles: *profiles}
	if *quick {
		e.seconds, e.keys = 1, 4_000
	}
	if err := e.place(*placement); err != nil {
		return err
	}
	if e.tmp, err = os.MkdirTemp(*dir, "bench-"); err != nil {
		return err
	}
	keep := false // The logs of what failed.
	defer func() {
		if !keep {
			os.RemoveAll(e.tmp)
		}
	}()
	if err := e.buildYCSB(); err != nil {
		return err
	}
	run := Run{Time: time.Now().Format(time.RFC3339), Commit: commit(), Placement: *placement, Quick: *quick, Profiled: *profiles != "", Cores: runtime.NumCPU()}
	if *out == "" {
		*out = filepath.Join("build/bench", time.Now().Format("20060102-150405")+".json")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	failed, err := e.measureAll(ctx, &run, builds(*bin, *versus), *rounds, filter)
	if err != nil {
		return err
	}
	if err := write(*out, run); err != nil {
		return err
	}
	fmt.Println("\nwritten to", *out)
	if keep = failed > 0; keep {
		return fmt.Errorf("%d lines failed", failed)
	}
	return nil
}

func builds(dirs ...string) []string {
	var out []string
	for _, dir := range dirs {
		if absolute, err := filepath.Abs(dir); err == nil && dir != "" {
			out = append(out, absolute)
		}
	}
	return out
}

func (e *env) place(placement string) error {
	switch {
	case placement == "free":
		return nil
	case placement != "pinned":
		return fmt.Errorf("--placement %q: free or pinned", placement)
	case runtime.NumCPU() < 2:
		return fmt.Errorf("--placement pinned needs two cores")
	}
	e.serverCores, e.clientCores = "0", fmt.Sprintf("1-%d", runtime.NumCPU()-1)
	return pinSelf(e.clientCores)
}

// buildYCSB compiles the driver of YCSB from this module.
func (e *env) buildYCSB() error {
	e.ycsbProgram = filepath.Join(e.tmp, "ycsb")
	cmd := exec.Command("go", "build", "-o", e.ycsbProgram, "./interop/ycsb")
	// From the root of the tree or anywhere in the module.
	if _, err := os.Stat("e2e/go.mod"); err == nil {
		cmd.Dir = "e2e"
	} else if root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "e2e").Output(); err == nil {
		cmd.Dir = strings.TrimSpace(string(root))
	}
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build ./interop/ycsb: %w: %s", err, text)
	}
	return nil
}

func commit() string {
	text, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}

func write(path string, run Run) error {
	text, err := json.MarshalIndent(run, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

func printUsage() {
	fmt.Fprint(os.Stderr, `Measures a release build and holds it against the original's figures.

  make bench                                    everything, about 20 minutes
  make bench ARGS="--lines 'put/batched'"       some lines
  make bench ARGS="--quick"                     does it work?
  make bench ARGS="--lines X --profile DIR"     where the time of X goes
  make bench-report                             one page with plots of the newest file

Flags:
`)
	flag.PrintDefaults()
}
