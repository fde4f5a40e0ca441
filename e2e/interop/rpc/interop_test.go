package rpcinterop

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
)

// Every case of grpc-go's interoperability client that needs no cloud credentials.
var cases = []string{
	"empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream",
	"timeout_on_sleeping_server", "cancel_after_begin", "cancel_after_first_response",
	"status_code_and_message", "special_status_message", "custom_metadata", "unimplemented_method",
	"unimplemented_service", "pick_first_unary", "rpc_soak", "channel_soak", "orca_per_rpc", "orca_oob",
}

func TestGrpcGoInterop(t *testing.T) {
	s := startServer(t)
	client := filepath.Join(t.TempDir(), "client")
	build := exec.Command("go", "build", "-o", client, "google.golang.org/grpc/interop/client")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	for _, name := range cases {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(client, "-server_host=127.0.0.1", "-server_port="+s.port, "-test_case="+name,
				"-soak_per_iteration_max_acceptable_latency_ms=10000",
				`-service_config_json={"loadBalancingConfig":[{"test_backend_metrics_load_balancer":{}}]}`)
			timer := time.AfterFunc(60*time.Second, func() { cmd.Process.Kill() })
			defer timer.Stop()
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
}

// etcdctl 3.4 and its library have a URL as :authority.
func TestAuthorityIsURL(t *testing.T) {
	n := newNeighbour(t, startServer(t), grpc.WithAuthority("http://127.0.0.1:2379"))
	must(t, n.echo())
}

// The server ends every connection after a short while (GOAWAY in two steps); no call fails of it.
func TestAgingConnections(t *testing.T) {
	n := newNeighbour(t, startServer(t, "--max-age-ms=150"))
	if l := n.measure(2 * time.Second); l.failed > 0 || l.n < 100 {
		t.Errorf("%v", l)
	}
}
