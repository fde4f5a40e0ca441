package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"e2e/process/cluster"
)

// profiler samples processes while a line runs; a nil one does nothing.
type profiler struct {
	cmd  *exec.Cmd
	path string // without its ending
	errs bytes.Buffer
}

// profile starts to sample if the run wants profiles.
func (e *env) profile(processes []*cluster.Process) (*profiler, error) {
	if e.profiles == "" {
		return nil, nil
	}
	if err := os.MkdirAll(e.profiles, 0o755); err != nil {
		return nil, err
	}
	var pids []string
	for _, p := range processes {
		pids = append(pids, strconv.Itoa(p.Pid()))
	}
	p := &profiler{path: filepath.Join(e.profiles, strings.ReplaceAll(e.line, "/", "-"))}
	// Release builds have no frame pointers: stacks are copied and unwound later.
	p.cmd = exec.Command("perf", "record", "--call-graph", "dwarf,8192", "-F", "299", "-o", p.path+".data",
		"-p", strings.Join(pids, ","))
	p.cmd.Stderr = &p.errs
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("perf record: %w", err)
	}
	return p, nil
}

// stop writes two tables beside the samples: each function's own share by thread, and with all that
// it calls.
func (p *profiler) stop() error {
	if p == nil {
		return nil
	}
	_ = p.cmd.Process.Signal(os.Interrupt)
	_ = p.cmd.Wait() // It ends with the signal.
	out, err := os.Create(p.path + ".txt")
	if err != nil {
		return err
	}
	defer out.Close()
	for _, arguments := range [][]string{
		{"--no-children", "--sort", "comm"},
		{"--no-children", "--sort", "comm,sym"},
		{"--children", "--sort", "sym"},
	} {
		cmd := exec.Command("perf", append([]string{"report", "-i", p.path + ".data", "--no-inline", "-g", "none",
			"--percent-limit", "0.7"}, arguments...)...)
		table, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("perf report: %w: %s", err, p.errs.String())
		}
		fmt.Fprintln(out, strings.Join(arguments, " "))
		for line := range strings.Lines(string(table)) {
			if text := strings.TrimRight(line, " \n"); text != "" && text[0] != '#' {
				fmt.Fprintln(out, text)
			}
		}
	}
	return nil
}
