package process

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"e2e/process/cluster"

	"github.com/tikv/client-go/v2/rawkv"
	"github.com/tikv/pd/client/opt"
)

// TestStopFailsNoRequest stops the store with the most leaders by SIGTERM and starts it again, ten
// times, under load of requests that wait one second at most: none may fail.
func TestStopFailsNoRequest(t *testing.T) {
	c := start(t, 1, 3)
	split, done := context.WithTimeout(context.Background(), time.Minute)
	for _, key := range []string{"stop/2", "stop/4", "stop/6"} {
		if err := c.Split(split, key); err != nil {
			t.Fatal(err)
		}
	}
	done()
	client, err := rawkv.NewClientWithOpts(context.Background(), strings.Split(c.PDAddrs(), ","),
		rawkv.WithPDOptions(opt.WithMaxErrorRetry(10)))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var served atomic.Int64
	var failed sync.Map
	ctx, cancel := context.WithCancel(context.Background())
	var workers sync.WaitGroup
	for worker := range 8 {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for i := 0; ctx.Err() == nil; i++ {
				begin := time.Now()
				op, stop := context.WithTimeout(context.Background(), time.Second)
				key := fmt.Appendf(nil, "stop/%d/%d", worker, i%100)
				var err error
				if i%2 == 0 {
					err = client.Put(op, key, []byte("v"))
				} else {
					_, err = client.Get(op, key)
				}
				stop()
				if err != nil {
					failed.Store(begin.Format("05.000"), fmt.Sprintf("%v after %v", err, time.Since(begin)))
				}
				served.Add(1)
			}
		}()
	}
	for round := range 10 {
		waitServed(t, &served, 200)
		store := busiest(t, c)
		t.Logf("%s round %d: stop %s", time.Now().Format("05.000"), round, store.Name)
		if err := store.Stop(20 * time.Second); err != nil {
			t.Error(err)
		}
		waitServed(t, &served, 200)
		if err := store.Start(); err != nil {
			t.Fatal(err)
		}
		ready, stop := context.WithTimeout(context.Background(), time.Minute)
		if err := c.WaitReady(ready); err != nil {
			t.Fatal(err)
		}
		stop()
		waitServing(t, store)
	}
	cancel()
	workers.Wait()
	t.Logf("%d requests", served.Load())
	failed.Range(func(begin, err any) bool {
		t.Errorf("%s: %s", begin, err)
		return true
	})
}

// waitServing waits until the store itself says that it is back: PD takes a store that was away for
// a moment for Up all the time.
func waitServing(t *testing.T, store *cluster.Process) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if reply, err := http.Get("http://" + store.Addrs[1] + "/ready"); err == nil {
			reply.Body.Close()
			if reply.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is not ready", store.Name)
		}
	}
}

func waitServed(t *testing.T, served *atomic.Int64, n int64) {
	t.Helper()
	target := served.Load() + n
	for deadline := time.Now().Add(time.Minute); served.Load() < target; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing is served")
		}
	}
}

// busiest is the store with the most leaders, as PD knows it.
func busiest(t *testing.T, c *cluster.Cluster) *cluster.Process {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		states, err := c.StoreStates()
		if err != nil {
			continue
		}
		for _, p := range c.Stores {
			if p.Running() && states[p.Addrs[0]].Leaders > 0 {
				return p
			}
		}
	}
	t.Fatal("no store leads")
	return nil
}
