package process

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"e2e/process/cluster"

	"github.com/tikv/client-go/v2/rawkv"
)

// TestFullDisk fills the disk of a store to its reserve and then to the last byte.  At the reserve
// writes are refused, reads and deletes go on, and room brings the writes back.  At the last byte
// the store ends with a sentence, and a start with more room has everything that was acknowledged.
func TestFullDisk(t *testing.T) {
	path, err := filepath.Abs(*bin)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	disk := filepath.Join(dir, "store-1")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=600m"); err != nil {
		t.Skipf("cannot mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	c, err := cluster.Start(ctx, cluster.Options{Bin: path, Dir: dir, PDs: 1, Stores: 1})
	defer c.Kill()
	if err != nil {
		t.Fatal(err)
	}
	client, err := rawkv.NewClientWithOpts(ctx, strings.Split(c.PDAddrs(), ","))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	put := func(key string, patience time.Duration) error {
		op, stop := context.WithTimeout(ctx, patience)
		defer stop()
		return client.Put(op, []byte(key), bytes.Repeat([]byte("v"), 100_000))
	}
	if err := put("before", time.Minute); err != nil {
		t.Fatal(err)
	}

	// A fifth of a small disk is reserved: here 120 MiB.
	filler := filepath.Join(disk, "filler")
	fill(t, disk, filler, 110<<20)
	refused := false
	for end := time.Now().Add(10 * time.Second); !refused && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		refused = put("refused", 500*time.Millisecond) != nil
	}
	if !refused {
		t.Error("a write was taken below the reserve")
	}
	if got, err := client.Get(ctx, []byte("before")); err != nil || len(got) != 100_000 {
		t.Errorf("a read on a full disk: %d bytes, %v", len(got), err)
	}
	if err := client.Delete(ctx, []byte("refused")); err != nil {
		t.Errorf("a delete on a disk that is almost full: %v", err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := put("room again", time.Minute); err != nil {
		t.Errorf("after there was room again: %v", err)
	}

	// Faster than anybody could watch.
	fill(t, disk, filler, 0)
	acknowledged := map[string]bool{"before": true, "room again": true}
	store := c.Stores[0]
	end := time.Now().Add(15 * time.Second)
	for i := 0; store.Running() && time.Now().Before(end); i++ {
		key := strings.Repeat("k", i%50+1)
		if put(key, 300*time.Millisecond) == nil {
			acknowledged[key] = true
		}
	}
	if store.Running() {
		t.Log("the store refused in time")
		store.Kill()
	} else if text := store.Read("stdout.log"); text != "" && !strings.Contains(text, "is full") {
		t.Errorf("last words: %s", text)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := store.Start(); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	for key := range acknowledged {
		if got, err := client.Get(ctx, []byte(key)); err != nil || len(got) != 100_000 {
			t.Errorf("%s after the restart: %d bytes, %v", key, len(got), err)
		}
	}
}

// fill leaves so many bytes of the disk free.
func fill(t *testing.T, disk, filler string, left int64) {
	t.Helper()
	var space syscall.Statfs_t
	if err := syscall.Statfs(disk, &space); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(filler, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := syscall.Fallocate(int(file.Fd()), 0, 0, int64(space.Bavail)*space.Bsize-left); err != nil {
		t.Fatal(err)
	}
}
