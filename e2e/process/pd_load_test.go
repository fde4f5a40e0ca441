package process

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"e2e/process/cluster"

	pd "github.com/tikv/pd/client"
	"github.com/tikv/pd/client/opt"
	"github.com/tikv/pd/client/pkg/caller"
)

// clocks asks for timestamps from several goroutines and checks that each is above all that had
// been handed out before it was asked for, and that none comes twice.
type clocks struct {
	client pd.Client
	cancel context.CancelFunc
	done   sync.WaitGroup
	high   atomic.Uint64
	count  atomic.Int64
	pause  atomic.Int64 // Longest time without a timestamp, ns.
	mu     sync.Mutex
	all    [][]uint64
	wrong  []string
}

func newClocks(t *testing.T, pdAddrs string, workers int) *clocks {
	t.Helper()
	client, err := pd.NewClient(caller.TestComponent, strings.Split(pdAddrs, ","), pd.SecurityOption{},
		opt.WithMaxErrorRetry(10))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &clocks{client: client, cancel: cancel, all: make([][]uint64, workers)}
	for n := range workers {
		c.done.Add(1)
		go c.run(ctx, n)
	}
	return c
}

func (c *clocks) run(ctx context.Context, n int) {
	defer c.done.Done()
	last := time.Now()
	for ctx.Err() == nil {
		below := c.high.Load()
		physical, logical, err := c.client.GetTS(ctx)
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		ts := uint64(physical)<<18 | uint64(logical)
		if ts <= below {
			c.mu.Lock()
			c.wrong = append(c.wrong, time.Now().String())
			c.mu.Unlock()
		}
		for old := c.high.Load(); ts > old && !c.high.CompareAndSwap(old, ts); old = c.high.Load() {
		}
		c.all[n] = append(c.all[n], ts)
		c.count.Add(1)
		now := time.Now()
		for gap, old := int64(now.Sub(last)), c.pause.Load(); gap > old && !c.pause.CompareAndSwap(old, gap); old = c.pause.Load() {
		}
		last = now
		time.Sleep(time.Millisecond)
	}
}

// longest returns the longest pause since the last call.
func (c *clocks) longest() time.Duration { return time.Duration(c.pause.Swap(0)) }

// progress waits for n more timestamps.
func (c *clocks) progress(t *testing.T, n int64) {
	t.Helper()
	target := c.count.Load() + n
	for deadline := time.Now().Add(30 * time.Second); c.count.Load() < target; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("PD gave no %d timestamps within 30 s", n)
		}
	}
}

// check ends the load and reports what was wrong.
func (c *clocks) check(t *testing.T) {
	t.Helper()
	c.cancel()
	c.done.Wait()
	c.client.Close()
	for _, w := range c.wrong {
		t.Errorf("a timestamp went back at %s", w)
	}
	all := slices.Concat(c.all...)
	slices.Sort(all)
	for i := 1; i < len(all); i++ {
		if all[i] == all[i-1] {
			t.Errorf("timestamp %d was handed out twice", all[i])
		}
	}
	t.Logf("%d timestamps", len(all))
}

// etcdctl runs Debian's tool against the members.
func etcdctl(t *testing.T, c *cluster.Cluster, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath("etcdctl"); err != nil {
		t.Skip("no etcdctl (Debian package etcd-client)")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "etcdctl", append([]string{"--endpoints=" + c.PDAddrs(),
		"--command-timeout=15s"}, args...)...)
	cmd.Env = append(cmd.Environ(), "ETCDCTL_API=3")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

type members struct {
	Members []struct {
		Name       string
		MemberID   uint64   `json:"member_id"`
		ClientURLs []string `json:"client_urls"`
	}
	Leader struct{ Name string }
}

func getMembers(c *cluster.Cluster) (members, error) {
	var last error
	for _, p := range c.PDs {
		var m members
		if !p.Running() {
			continue
		}
		if last = cluster.Call("GET", p.Addrs[0], "/pd/api/v1/members", "", &m); last == nil && m.Leader.Name != "" {
			return m, nil
		}
	}
	return members{}, last
}

// leader waits for a leader and returns it.
func leader(t *testing.T, c *cluster.Cluster) *cluster.Process {
	t.Helper()
	var found *cluster.Process
	await(t, "a PD leader", func() bool {
		m, err := getMembers(c)
		for _, p := range c.PDs {
			if err == nil && p.Name == m.Leader.Name {
				found = p
			}
		}
		return found != nil
	})
	return found
}

func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !f(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 30 s for %s", what)
		}
	}
}
