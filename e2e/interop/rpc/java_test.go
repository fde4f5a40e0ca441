package rpcinterop

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Every case of grpc-java's interoperability client that needs no cloud credentials, but
// cacheable_unary, which wants an HTTP cache between client and server.
var javaCases = []string{
	"empty_unary", "large_unary", "client_compressed_unary", "server_compressed_unary", "client_streaming",
	"client_compressed_streaming", "server_streaming", "server_compressed_streaming", "ping_pong", "empty_stream",
	"custom_metadata", "status_code_and_message", "special_status_message", "unimplemented_method",
	"unimplemented_service", "cancel_after_begin", "cancel_after_first_response", "timeout_on_sleeping_server",
	"very_large_request", "pick_first_unary", "rpc_soak", "channel_soak", "orca_per_rpc", "orca_oob",
}

func TestGrpcJava(t *testing.T) {
	s := startServer(t)
	path := filepath.Join(t.TempDir(), "classpath")
	maven := exec.Command("mvn", "-q", "-B", "dependency:build-classpath", "-Dmdep.outputFile="+path)
	maven.Dir = "java"
	if out, err := maven.CombinedOutput(); err != nil {
		t.Fatalf("mvn: %v\n%s", err, out)
	}
	classpath, err := os.ReadFile(path)
	must(t, err)
	for _, name := range javaCases {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("java", "-XX:TieredStopAtLevel=1", "-cp", strings.TrimSpace(string(classpath)),
				"io.grpc.testing.integration.TestServiceClient", "--server_host=127.0.0.1",
				"--server_port="+s.port, "--use_tls=false", "--test_case="+name,
				"--soak_per_iteration_max_acceptable_latency_ms=10000", // A cold JVM on a busy machine.
				`--service_config_json={"loadBalancingConfig":[{"test_backend_metrics_load_balancer":{}}]}`)
			timer := time.AfterFunc(60*time.Second, func() { cmd.Process.Kill() })
			defer timer.Stop()
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
}
