package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Process is one server; its ports, folder and flags outlive its runs.
type Process struct {
	Name  string
	Addrs []string // PD: client and peer; store: gRPC and status

	bin, dir string
	args     []string
	env      []string

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when cmd has been reaped
	err  error
}

func (p *Process) reserve(n int) error {
	for range n {
		addr, err := freeAddr()
		if err != nil {
			return err
		}
		p.Addrs = append(p.Addrs, addr)
	}
	return os.MkdirAll(p.dir, 0o755)
}

func (p *Process) configure(toml string) error {
	if toml == "" {
		return nil
	}
	path := filepath.Join(p.dir, "config.toml")
	p.args = append(p.args, "--config="+path)
	return writeFile(path, toml)
}

// Start runs the server; a second Start after its end continues with its data.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	out, err := os.OpenFile(filepath.Join(p.dir, "stdout.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(p.bin, p.args...)
	cmd.Stdout, cmd.Stderr = out, out
	if len(p.env) > 0 {
		cmd.Env = append(os.Environ(), p.env...)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := onSpawner(cmd.Start); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	done := make(chan struct{})
	p.cmd, p.done, p.err = cmd, done, nil
	go func() {
		err := cmd.Wait()
		p.mu.Lock()
		p.err = err
		p.mu.Unlock()
		close(done)
	}()
	return nil
}

// Running tells whether the process lives.
func (p *Process) Running() bool {
	p.mu.Lock()
	done := p.done
	p.mu.Unlock()
	if done == nil {
		return false
	}
	select {
	case <-done:
		return false
	default:
		return true
	}
}

// Read returns the text of a file in the server's folder, "" when there is none.
func (p *Process) Read(name string) string {
	text, _ := os.ReadFile(filepath.Join(p.dir, name))
	return string(text)
}

// Pid is that of the last run.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Dir is the process's folder: logs, configuration and data/.
func (p *Process) Dir() string { return p.dir }

// Signal sends sig; a process that has ended is not an error.
func (p *Process) Signal(sig syscall.Signal) {
	if p.Running() {
		_ = p.cmd.Process.Signal(sig)
	}
}

// Kill ends the process without warning and waits for its end.
func (p *Process) Kill() {
	if p.Running() {
		p.Signal(syscall.SIGKILL)
		<-p.done
	}
}

// Stop asks the process to end and waits; after limit it is killed, which is an error, as is an
// exit code.
func (p *Process) Stop(limit time.Duration) error {
	if !p.Running() {
		return nil
	}
	p.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(limit):
		p.Kill()
		return fmt.Errorf("%s did not end within %s of SIGTERM", p.Name, limit)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return fmt.Errorf("%s ended with %w: %s", p.Name, p.err, p.Tail())
	}
	return nil
}

// Tail is the end of what the process has printed.
func (p *Process) Tail() string {
	b, _ := os.ReadFile(filepath.Join(p.dir, "stdout.log"))
	return string(b[max(0, len(b)-2000):])
}

var spawner = make(chan func())

func init() {
	// The parent-death signal fires when the thread that started the child ends, so one thread
	// that never ends starts them all.
	go func() {
		runtime.LockOSThread()
		for f := range spawner {
			f()
		}
	}()
}

func onSpawner(f func() error) error {
	result := make(chan error)
	spawner <- func() { result <- f() }
	return <-result
}
