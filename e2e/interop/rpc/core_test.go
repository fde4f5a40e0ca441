package rpcinterop

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const grpcio = "grpcio==1.66.2"

// core/client.py holds the cases.
func TestGrpcCore(t *testing.T) {
	s, aging := startServer(t), startServer(t, "--max-age-ms=150")
	cmd := exec.Command("python3", "core/client.py", s.port, aging.port)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+install(t, grpcio))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// install has pip put a package into a folder that later runs find; returns the folder.
func install(t *testing.T, what string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	must(t, err)
	dir := filepath.Join(cache, "tikv-interop", what)
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	must(t, os.MkdirAll(filepath.Dir(dir), 0o755))
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "new")
	must(t, err)
	if out, err := exec.Command("python3", "-m", "pip", "install", "-q", "--target", fresh, what).CombinedOutput(); err != nil {
		t.Fatalf("pip: %v\n%s", err, out)
	}
	if os.Rename(fresh, dir) != nil { // Somebody else was first.
		os.RemoveAll(fresh)
	}
	return dir
}
