package process

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// playground is a running `tikv-ctl playground`.
type playground struct {
	cmd    *exec.Cmd
	dir    string
	port   int
	lines  chan string
	output strings.Builder
}

func ctl(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.Command(filepath.Join(*bin, "tikv-ctl"), args...).CombinedOutput()
	return string(out), err
}

// freePorts finds n adjacent ports that nobody uses now.
func freePorts(t *testing.T, n int) int {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		free := port+n < 65000
		for i := 0; free && i < n; i++ {
			if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+i)); err != nil {
				free = false
			} else {
				l.Close()
			}
		}
		if free {
			return port
		}
	}
	t.Fatal("no adjacent free ports")
	return 0
}

func runPlayground(t *testing.T, dir string, port int, extra ...string) *playground {
	t.Helper()
	args := append([]string{"playground", "--data-dir", dir, "--pd-port", fmt.Sprint(port),
		"--store-port", fmt.Sprint(port + 10), "--status-port", fmt.Sprint(port + 20)}, extra...)
	p := &playground{cmd: exec.Command(filepath.Join(*bin, "tikv-ctl"), args...), dir: dir, port: port,
		lines: make(chan string, 10000)}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = p.cmd.Stdout
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.scan(out)
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_, _ = p.cmd.Process.Wait()
	})
	return p
}

func (p *playground) scan(out io.Reader) {
	s := bufio.NewScanner(out)
	for s.Scan() {
		p.lines <- s.Text()
	}
	close(p.lines)
}

// await returns the first line that matches.
func (p *playground) await(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	limit := time.After(60 * time.Second)
	for {
		select {
		case line, open := <-p.lines:
			if !open {
				t.Fatalf("the playground ended before it said %q:\n%s", pattern, p.output.String())
			}
			p.output.WriteString(line + "\n")
			if re.MatchString(line) {
				return line
			}
		case <-limit:
			t.Fatalf("the playground did not say %q:\n%s", pattern, p.output.String())
		}
	}
}

// interrupt sends what Ctrl-C sends and returns how long the end took.
func (p *playground) interrupt(t *testing.T) time.Duration {
	t.Helper()
	begin := time.Now()
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	p.await(t, "^Stopped")
	if err := p.cmd.Wait(); err != nil {
		t.Fatalf("the playground ended with %v:\n%s", err, p.output.String())
	}
	return time.Since(begin)
}

func (p *playground) pd() string { return fmt.Sprintf("127.0.0.1:%d", p.port) }

// TestPlayground is the newcomer's first hour: start, write, kill a store, read, stop, start again.
func TestPlayground(t *testing.T) {
	dir := t.TempDir()
	port := freePorts(t, 30)
	p := runPlayground(t, dir, port)
	p.await(t, "^The cluster is up")
	p.await(t, "PD endpoint.*"+p.pd())

	if out, err := ctl(t, "--pd", p.pd(), "raw", "put", "hello", "world"); err != nil {
		t.Fatal(out)
	}
	if out, _ := ctl(t, "--pd", p.pd(), "cluster"); strings.Count(out, " Up ") != 3 {
		t.Fatalf("want three stores Up:\n%s", out)
	}
	killStore(t, dir)
	p.await(t, "^store-1 was killed by signal 9; starting it again")
	if out, err := ctl(t, "--pd", p.pd(), "raw", "get", "hello"); err != nil || out != "world\n" {
		t.Fatalf("after a killed store: %q %v", out, err)
	}
	if took := p.interrupt(t); took > 10*time.Second {
		t.Fatalf("Ctrl-C took %s", took)
	}

	p = runPlayground(t, dir, port)
	p.await(t, "^The cluster is up")
	if out, err := ctl(t, "--pd", p.pd(), "raw", "get", "hello"); err != nil || out != "world\n" {
		t.Fatalf("after a restart: %q %v", out, err)
	}
	p.interrupt(t)
}

// killStore kills the process whose command line names store-1's folder.
func killStore(t *testing.T, dir string) {
	t.Helper()
	want := "--data-dir=" + filepath.Join(dir, "store-1", "data")
	procs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range procs {
		if b, _ := os.ReadFile(path); strings.Contains(string(b), want) {
			var pid int
			fmt.Sscanf(path, "/proc/%d/cmdline", &pid)
			_ = syscall.Kill(pid, syscall.SIGKILL)
			return
		}
	}
	t.Fatal("store-1 does not run")
}

// sentence runs a playground that cannot start and returns what it says.
func sentence(t *testing.T, p *playground) string {
	t.Helper()
	for line := range p.lines {
		p.output.WriteString(line + "\n")
	}
	if err := p.cmd.Wait(); err == nil {
		t.Fatalf("want an exit code:\n%s", p.output.String())
	}
	lines := strings.Split(strings.TrimSpace(p.output.String()), "\n")
	return lines[len(lines)-1]
}

func TestPlaygroundPortTaken(t *testing.T) {
	port := freePorts(t, 30)
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	said := sentence(t, runPlayground(t, t.TempDir(), port))
	if !strings.Contains(said, fmt.Sprintf("Port %d is taken", port)) || !strings.Contains(said, "--pd-port") {
		t.Fatal(said)
	}
}

func TestPlaygroundFolderInUse(t *testing.T) {
	dir := t.TempDir()
	p := runPlayground(t, dir, freePorts(t, 30), "--stores", "1")
	p.await(t, "^The cluster is up")
	said := sentence(t, runPlayground(t, dir, freePorts(t, 30), "--stores", "1"))
	if !strings.Contains(said, "in use by another playground") {
		t.Fatal(said)
	}
	p.interrupt(t)
}

// A store's folder that belongs to another cluster must not be served, and must not be touched.
func TestPlaygroundForeignData(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	for _, dir := range []string{first, second} {
		p := runPlayground(t, dir, freePorts(t, 30), "--stores", "1")
		p.await(t, "^The cluster is up")
		p.interrupt(t)
	}
	if err := os.RemoveAll(filepath.Join(first, "store-1")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(second, "store-1"), filepath.Join(first, "store-1")); err != nil {
		t.Fatal(err)
	}
	said := sentence(t, runPlayground(t, first, freePorts(t, 30), "--stores", "1"))
	if !strings.Contains(said, "store-1 did not start") || !strings.Contains(said, "belongs to cluster") {
		t.Fatal(said)
	}
}
