package rpcinterop

import (
	"context"
	"os/exec"
	"testing"
	"time"
)

// rust/src/main.rs holds the cases.
func TestTonic(t *testing.T) {
	s, aging := startServer(t), startServer(t, "--max-age-ms=150")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "cargo", "run", "-q", "--", s.port, aging.port)
	cmd.Dir = "rust"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
