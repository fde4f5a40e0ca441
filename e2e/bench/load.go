package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const valueBytes = 1024

// program runs a loader to its end and decodes the last line that it prints.
func (e *env) program(ctx context.Context, name string, args ...string) (Values, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	if e.clientCores != "" {
		cmd = exec.CommandContext(ctx, "taskset", append([]string{"-c", e.clientCores, name}, args...)...)
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(errs.Bytes()))
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var fields map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &fields); err != nil {
		return nil, fmt.Errorf("%s printed %q: %w", name, out.String(), err)
	}
	v := Values{}
	for key, field := range fields {
		if number, ok := field.(float64); ok && key != "clients" {
			v[key] = number
		}
	}
	if took := cmd.ProcessState; v["operations"] > 0 {
		v["client_cpu_us_per_op"] = float64((took.UserTime() + took.SystemTime()).Microseconds()) / v["operations"]
	}
	return v, nil
}

// batched is our own loader: commands that come together leave in one BatchCommands message.
func (e *env) batched(ctx context.Context, operation string, clients int) (Values, error) {
	return e.program(ctx, e.bin("tikv-ctl"), "--pd", e.cluster.PDAddrs(), "-o", "json", "bench", operation,
		"--clients", strconv.Itoa(clients), "--keys", strconv.Itoa(e.keys),
		"--value-size", strconv.Itoa(valueBytes), "--seconds", fmt.Sprint(e.seconds))
}

// unary sends each request as a call of its own.
func (e *env) unary(ctx context.Context, operation string, clients int) (Values, error) {
	r, err := newRouter(ctx, e.cluster.PDAddrs())
	if err != nil {
		return nil, err
	}
	defer r.close()
	value := randomValue(0)
	one := func(ctx context.Context, random *rand.Rand) error {
		key := benchKey(random.IntN(e.keys))
		if operation == "put" {
			return r.put(ctx, key, value)
		}
		return r.get(ctx, key)
	}
	return closedLoop(ctx, clients, e.seconds, one)
}

// closedLoop runs `one` from each client, again as soon as it has ended.
func closedLoop(ctx context.Context, clients int, seconds float64,
	one func(context.Context, *rand.Rand) error) (Values, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(seconds*float64(time.Second))+10*time.Second)
	defer cancel()
	latencies, failed := make([][]float64, clients), make([]error, clients)
	failures := make([]float64, clients)
	cpu, begin := ownCPU(), time.Now()
	end := begin.Add(time.Duration(seconds * float64(time.Second)))
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(c), 1))
			for start := time.Now(); start.Before(end); start = time.Now() {
				if err := one(ctx, random); err != nil {
					failed[c] = err
					failures[c]++
					continue
				}
				latencies[c] = append(latencies[c], float64(time.Since(start).Nanoseconds())/1e3)
			}
		})
	}
	wg.Wait()
	took, cpu := time.Since(begin).Seconds(), ownCPU()-cpu
	all := slices.Concat(latencies...)
	if len(all) == 0 {
		return nil, fmt.Errorf("no operation succeeded: %w", failed[0])
	}
	slices.Sort(all)
	v := Values{"operations": float64(len(all)), "ops_per_second": float64(len(all)) / took,
		"p50_us": quantile(all, .5), "p99_us": quantile(all, .99), "p999_us": quantile(all, .999),
		"client_cpu_us_per_op": float64(cpu.Microseconds()) / float64(len(all))}
	for _, n := range failures {
		v["errors"] += n
	}
	return v, nil
}

func quantile(sorted []float64, f float64) float64 {
	return sorted[min(len(sorted)-1, int(f*float64(len(sorted))))]
}

func ownCPU() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// ycsb runs client-go's raw client: the load phase with workload "", else that workload.
func (e *env) ycsb(ctx context.Context, workload string, clients int) (Values, error) {
	args := []string{"-pd", e.cluster.PDAddrs(), "-json", "-clients", strconv.Itoa(clients),
		"-records", strconv.Itoa(e.keys), "-workload", workload, "-operations", "1000000000",
		"-seconds", fmt.Sprint(e.seconds), "-load=" + strconv.FormatBool(workload == "")}
	return e.program(ctx, e.ycsbProgram, args...)
}

// fill makes sure that every key of the raw lines and every record of YCSB is there.
func (e *env) fill(ctx context.Context) error {
	r, err := newRouter(ctx, e.cluster.PDAddrs())
	if err != nil {
		return err
	}
	defer r.close()
	if err := r.fill(ctx, e.keys, func(int) []byte { return randomValue(0) }); err != nil {
		return err
	}
	seconds := e.seconds
	e.seconds = 600 // As long as it takes.
	defer func() { e.seconds = seconds }()
	_, err = e.ycsb(ctx, "", 64)
	return err
}

// randomValue does not compress, so that bytes written are bytes.
func randomValue(seed uint64) []byte {
	random, value := rand.New(rand.NewPCG(seed, 7)), make([]byte, valueBytes)
	for i := range value {
		value[i] = byte(random.Uint32())
	}
	return value
}

// pin keeps the servers' threads, now and to come, on those cores.
func pin(pid int, cores string) error {
	out, err := exec.Command("taskset", "-a", "-c", "-p", cores, strconv.Itoa(pid)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("taskset: %w: %s", err, out)
	}
	return nil
}

func pinSelf(cores string) error { return pin(os.Getpid(), cores) }
