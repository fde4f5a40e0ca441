package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"e2e/process/cluster"
)

// usage is what processes have consumed since they started.
type usage struct {
	cpuMicros float64
	written   float64 // bytes that went to the disk, or will
	switches  float64 // of living threads
	rssBytes  float64 // now
	threads   float64 // now
}

func (u usage) minus(v usage) usage {
	return usage{u.cpuMicros - v.cpuMicros, u.written - v.written, u.switches - v.switches, u.rssBytes, u.threads}
}

func usageOf(processes []*cluster.Process) usage {
	var sum usage
	for _, p := range processes {
		if !p.Running() {
			continue
		}
		dir := fmt.Sprintf("/proc/%d", p.Pid())
		sum.cpuMicros += cpuMicros(dir)
		sum.written += field(dir+"/io", "write_bytes:")
		sum.rssBytes += field(dir+"/status", "VmRSS:") * 1024
		sum.threads += field(dir+"/status", "Threads:")
		tasks, _ := filepath.Glob(dir + "/task/*/status")
		for _, task := range tasks {
			sum.switches += field(task, "voluntary_ctxt_switches:") + field(task, "nonvoluntary_ctxt_switches:")
		}
	}
	return sum
}

// cpuMicros is utime+stime; the kernel counts them in hundredths of a second but derives their sum
// from the exact run time.
func cpuMicros(dir string) float64 {
	text, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return 0
	}
	// The name, in parentheses, may hold anything.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) * 1e4
}

func field(path, name string) float64 {
	text, _ := os.ReadFile(path)
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			value, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return value
		}
	}
	return 0
}

// machineMicros is the CPU time that the whole machine has been busy.
func machineMicros() float64 {
	text, _ := os.ReadFile("/proc/stat")
	fields := strings.Fields(strings.SplitN(string(text), "\n", 2)[0])
	busy := 0.0
	for i, f := range fields[1:] {
		if i != 3 && i != 4 && i < 8 { // idle, iowait; guest time is in user time already
			value, _ := strconv.ParseFloat(f, 64)
			busy += value
		}
	}
	return busy * 1e4
}

// syncCounter counts fsync and fdatasync calls of processes by kernel tracepoints.
type syncCounter struct {
	cmd *exec.Cmd
	out bytes.Buffer
}

// tracepoints tells whether the kernel lets us count; asked once.
var tracepoints = sync.OnceValue(func() bool {
	return exec.Command("perf", "stat", "-e", "syscalls:sys_enter_fdatasync", "true").Run() == nil
})

func countSyncs(processes []*cluster.Process) *syncCounter {
	s := &syncCounter{}
	if !tracepoints() {
		return s
	}
	var pids []string
	for _, p := range processes {
		pids = append(pids, strconv.Itoa(p.Pid()))
	}
	s.cmd = exec.Command("perf", "stat", "-x", ",", "-e", "syscalls:sys_enter_fdatasync",
		"-e", "syscalls:sys_enter_fsync", "-p", strings.Join(pids, ","))
	s.cmd.Stderr = &s.out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if s.cmd.Start() != nil {
		s.cmd = nil
	}
	return s
}

// stop returns the calls so far; false when nothing could count them.
func (s *syncCounter) stop() (float64, bool) {
	if s.cmd == nil {
		return 0, false
	}
	_ = s.cmd.Process.Signal(os.Interrupt)
	_ = s.cmd.Wait()
	sum, seen := 0.0, false
	for line := range strings.Lines(s.out.String()) {
		if columns := strings.Split(line, ","); len(columns) > 2 && strings.HasPrefix(columns[2], "syscalls:") {
			if count, err := strconv.ParseFloat(columns[0], 64); err == nil {
				sum, seen = sum+count, true
			}
		}
	}
	return sum, seen
}

// settle waits until the stores have done what they put off: flushes and compactions.
func (e *env) settle() {
	const look = 250 * time.Millisecond
	stores := e.cluster.Stores
	before := usageOf(stores)
	for begin := time.Now(); time.Since(begin) < e.pause(20*time.Second, time.Second); {
		time.Sleep(look)
		now := usageOf(stores)
		// A tick of the clock each: nothing but heartbeats.
		if now.minus(before).cpuMicros <= 1e4*float64(len(stores)) {
			return
		}
		before = now
	}
}

// loaded runs load and adds to its figures what the servers spent meanwhile, and on the compactions
// that it left behind: they are the price of its writes, and must not be paid by the next line.  load must set
// "operations"; "client_cpu_us_per_op" if it is another process's.
func loaded(e *env, load func() (Values, error)) (Values, error) {
	c := e.cluster
	profiler, err := e.profile(c.Stores)
	if err != nil {
		return nil, err
	}
	counter := countSyncs(c.Stores)
	machine, stores, pds := machineMicros(), usageOf(c.Stores), usageOf(c.PDs)
	v, err := load()
	pds = usageOf(c.PDs).minus(pds)
	machine = machineMicros() - machine
	during := usageOf(c.Stores).minus(stores)
	e.settle()
	stores = usageOf(c.Stores).minus(stores)
	syncs, counted := counter.stop()
	if err := errors.Join(err, profiler.stop()); err != nil {
		return nil, err
	}
	n := v["operations"]
	if n == 0 {
		return nil, fmt.Errorf("no operation succeeded")
	}
	v["cpu_us_per_op"] = stores.cpuMicros / n
	v["pd_cpu_us_per_op"] = pds.cpuMicros / n
	v["written_bytes_per_op"] = stores.written / n
	v["switches_per_op"] = stores.switches / n
	v["rss_mb"] = stores.rssBytes / 1e6
	if counted {
		v["syncs_per_op"] = syncs / n
	}
	if machine > 0 {
		others := machine - during.cpuMicros - pds.cpuMicros - v["client_cpu_us_per_op"]*n
		v["others_percent"] = max(0, others) / machine * 100
	}
	return v, nil
}
