// Package rpcinterop holds lib/rpc against other implementations: grpc-go's interoperability client,
// h2spec, and hostile connections.
package rpcinterop

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

var serverPath = flag.String("server", "", "path of rpc-test-server")

// server is one running rpc-test-server.
type server struct {
	t     *testing.T
	args  []string
	port  string
	stdin io.WriteCloser
	cmd   *exec.Cmd
}

func (s *server) addr() string { return "127.0.0.1:" + s.port }

func startServer(t *testing.T, args ...string) *server {
	t.Helper()
	if *serverPath == "" {
		t.Skip("-server is not given")
	}
	cmd := exec.Command(*serverPath, args...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	must(t, err)
	s := &server{t: t, args: args, port: strings.TrimSpace(line), stdin: stdin, cmd: cmd}
	t.Cleanup(func() {
		stdin.Close()
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("server: %v", err)
			}
		case <-time.After(20 * time.Second):
			cmd.Process.Kill()
			t.Errorf("server did not end")
		}
	})
	return s
}

// stats are the server's counters and memory, over HTTP/1.1 on the gRPC port.
func (s *server) stats() map[string]int64 {
	s.t.Helper()
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + s.addr() + "/stats")
	for tries := 0; err != nil && tries < 10; tries++ { // At its limit of connections it may refuse.
		time.Sleep(10 * time.Millisecond)
		response, err = client.Get("http://" + s.addr() + "/stats")
	}
	must(s.t, err)
	defer response.Body.Close()
	stats := map[string]int64{}
	must(s.t, json.NewDecoder(response.Body).Decode(&stats))
	return stats
}

// waitStat waits until the counter is at least `atLeast`.
func (s *server) waitStat(name string, atLeast int64, timeout time.Duration) int64 {
	s.t.Helper()
	deadline := time.Now().Add(timeout)
	for {
		got := s.stats()[name]
		if got >= atLeast {
			return got
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s is %d, want %d", name, got, atLeast)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mib(kib int64) string { return fmt.Sprintf("%.1f MiB", float64(kib)/1024) }
