package process

import (
	"bufio"
	"fmt"
	"io"
	"math/rand"
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
	out, err := exec.Command(ctlPath(), args...).CombinedOutput()
	return string(out), err
}

func ctlPath() string { return filepath.Join(*bin, "tikv-ctl") }

// freePorts finds n adjacent ports that nobody uses now, below those that outgoing connections take.
func freePorts(t *testing.T, n int) int {
	t.Helper()
	for range 1000 {
		port := 10000 + rand.Intn(22000-n)
		free := true
		for i := 0; free && i < n; i++ {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+i))
			if free = err == nil; free {
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
	p := &playground{cmd: exec.Command(ctlPath(), args...), dir: dir, port: port,
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
	p.await(t, "^store-1 was killed by signal 9; starting it again in 1 s")
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

// storePid finds the process whose command line names store-1's folder; 0: none.
func storePid(dir string) int {
	want := "--data-dir=" + filepath.Join(dir, "store-1", "data")
	procs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range procs {
		if b, _ := os.ReadFile(path); strings.Contains(string(b), want) {
			var pid int
			fmt.Sscanf(path, "/proc/%d/cmdline", &pid)
			return pid
		}
	}
	return 0
}

func killStore(t *testing.T, dir string) {
	t.Helper()
	pid := storePid(dir)
	if pid == 0 {
		t.Fatal("store-1 does not run")
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

func awaitStore(t *testing.T, dir string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); storePid(dir) == 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("store-1 was not started again")
		}
	}
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

// More members; a second start must be of the same cluster, or say how.
func TestPlaygroundLarge(t *testing.T) {
	dir := t.TempDir()
	many := []string{"--pd", "3", "--stores", "5"}
	port := freePorts(t, 30)
	p := runPlayground(t, dir, port, many...)
	p.await(t, "^The cluster is up")
	out, _ := ctl(t, "--pd", p.pd(), "cluster")
	if strings.Count(out, " Up ") != 5 || strings.Count(out, "  healthy  ") != 3 {
		t.Fatal(out)
	}
	if out, err := ctl(t, "--pd", p.pd(), "raw", "put", "hello", "world"); err != nil {
		t.Fatal(out)
	}
	if took := p.interrupt(t); took > 10*time.Second {
		t.Fatalf("Ctrl-C took %s", took)
	}

	for _, fewer := range [][]string{{"--pd", "1", "--stores", "5"}, {"--pd", "3", "--stores", "3"}} {
		said := sentence(t, runPlayground(t, dir, freePorts(t, 30), fewer...))
		if !strings.Contains(said, "has 3 PD and 5 stores: continue it with --pd 3 --stores 5") {
			t.Fatal(said)
		}
	}

	said := sentence(t, runPlayground(t, dir, freePorts(t, 30), many...))
	if !strings.Contains(said, fmt.Sprintf("continue the cluster with --pd-port %d", port)) {
		t.Fatal(said)
	}

	p = runPlayground(t, dir, port, many...)
	p.await(t, "^The cluster is up")
	if out, err := ctl(t, "--pd", p.pd(), "raw", "get", "hello"); err != nil || out != "world\n" {
		t.Fatalf("after a restart: %q %v", out, err)
	}
	p.interrupt(t)
}

func TestPlaygroundOverlappingPorts(t *testing.T) {
	said := sentence(t, runPlayground(t, t.TempDir(), freePorts(t, 60), "--stores", "11"))
	if !strings.Contains(said, "would be used twice") {
		t.Fatal(said)
	}
}

// A store that dies again and again is started again, ever later, and each time it is said.
func TestPlaygroundBacksOff(t *testing.T) {
	dir := t.TempDir()
	p := runPlayground(t, dir, freePorts(t, 30))
	p.await(t, "^The cluster is up")
	for _, wait := range []string{"1", "2", "4"} {
		killStore(t, dir)
		p.await(t, "^store-1 was killed by signal 9; starting it again in "+wait+" s")
		awaitStore(t, dir)
	}
	p.interrupt(t)
}

// On a terminal the table is drawn anew in place.
func TestPlaygroundOnATerminal(t *testing.T) {
	dir, port := t.TempDir(), freePorts(t, 30)
	line := fmt.Sprintf("%s playground --stores 1 --data-dir %s --pd-port %d --store-port %d --status-port %d",
		ctlPath(), dir, port, port+10, port+20)
	cmd := exec.Command("script", "-qefc", line, "/dev/null")
	keyboard, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &playground{cmd: cmd, dir: dir, port: port, lines: make(chan string, 10000)}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.scan(out)
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	p.await(t, "The cluster is up")
	p.await(t, "STORE +STATE +ADDRESS +LEADERS +REGIONS +SIZE +CAPACITY")
	p.await(t, "\x1b\\[[0-9]+A\x1b\\[J")
	begin := time.Now()
	if _, err := keyboard.Write([]byte{3}); err != nil { // Ctrl-C
		t.Fatal(err)
	}
	p.await(t, "Stopped")
	if took := time.Since(begin); took > 10*time.Second {
		t.Fatalf("Ctrl-C took %s", took)
	}
}
