package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"e2e/process/cluster"

	"github.com/pingcap/kvproto/pkg/pdpb"
)

func (e *env) pause(full, quick time.Duration) time.Duration {
	if e.quick {
		return quick
	}
	return full
}

// idle watches processes that nobody asks for anything.
func idle(ctx context.Context, e *env, processes []*cluster.Process) (Values, error) {
	select { // What a start leaves behind has settled.
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(e.pause(15*time.Second, time.Second)):
	}
	counter := countSyncs(processes)
	before, begin := usageOf(processes), time.Now()
	select {
	case <-ctx.Done():
	case <-time.After(e.pause(30*time.Second, 2*time.Second)):
	}
	spent, took := usageOf(processes).minus(before), time.Since(begin).Seconds()
	syncs, counted := counter.stop()
	v := Values{"cpu_percent": spent.cpuMicros / 1e4 / took, "rss_mb": spent.rssBytes / 1e6, "threads": spent.threads,
		"written_bytes_per_second": spent.written / took, "switches_per_second": spent.switches / took}
	if counted {
		v["syncs_per_second"] = syncs / took
	}
	return v, ctx.Err()
}

func idleStore(ctx context.Context, e *env) (Values, error) {
	return idleOf(ctx, e, e.cluster.Stores, "tikv-server")
}

func idlePD(ctx context.Context, e *env) (Values, error) {
	return idleOf(ctx, e, e.cluster.PDs, "pd-server")
}

func idleOf(ctx context.Context, e *env, processes []*cluster.Process, program string) (Values, error) {
	v, err := idle(ctx, e, processes)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(e.bin(program))
	if err != nil {
		return nil, err
	}
	v["binary_mb"] = float64(info.Size()) / 1e6
	return v, nil
}

// firstAnswer repeats get until it succeeds; the time since begin.
func firstAnswer(ctx context.Context, pdAddrs, key string, begin time.Time) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	r, err := newRouter(ctx, pdAddrs)
	if err != nil {
		return 0, err
	}
	// An old connection would wait before it dials again: each round has new ones.
	defer func() { r.close() }()
	for {
		attempt, done := context.WithTimeout(ctx, 500*time.Millisecond)
		err := r.get(attempt, key)
		done()
		if err == nil {
			return time.Since(begin).Seconds(), nil
		}
		if ctx.Err() != nil {
			return 0, errors.Join(ctx.Err(), err)
		}
		time.Sleep(2 * time.Millisecond)
		next, err := newRouter(ctx, pdAddrs)
		if err != nil {
			return 0, err
		}
		r.close()
		r = next
	}
}

// startEmpty starts the first store of a cluster, and reads.
func startEmpty(ctx context.Context, e *env) (Values, error) {
	defer e.stop()
	var took []float64
	for range 3 {
		e.stop()
		if err := e.start(ctx, 1, 0); err != nil {
			return nil, err
		}
		begin := time.Now()
		if _, err := e.cluster.AddStore(1); err != nil {
			return nil, err
		}
		if err := e.pinServers(); err != nil {
			return nil, err
		}
		seconds, err := firstAnswer(ctx, e.cluster.PDAddrs(), "x", begin)
		if err != nil {
			return nil, err
		}
		took = append(took, seconds)
	}
	return spread("seconds", took), nil
}

// restart ends a store with 1 GB of values, which do not compress, and starts it again.
func restart(ctx context.Context, e *env, kill bool) (Values, error) {
	defer e.stop()
	if err := e.start(ctx, 1, 1); err != nil {
		return nil, err
	}
	r, err := newRouter(ctx, e.cluster.PDAddrs())
	if err != nil {
		return nil, err
	}
	defer r.close()
	count := 1_000_000
	if e.quick {
		count = 20_000
	}
	if err := r.fill(ctx, count, func(n int) []byte { return randomValue(uint64(n)) }); err != nil {
		return nil, err
	}
	store := e.cluster.Stores[0]
	var took []float64
	for range 3 {
		// What is behind in the raft log differs from end to end: a little load before each.
		for n := range 200 {
			if err := r.fillOne(ctx, n, n+1, func(n int) []byte { return randomValue(uint64(n)) }); err != nil {
				return nil, err
			}
		}
		if kill {
			store.Kill()
		} else if err := store.Stop(30 * time.Second); err != nil {
			return nil, err
		}
		begin := time.Now()
		if err := errors.Join(store.Start(), e.pinServers()); err != nil {
			return nil, err
		}
		seconds, err := firstAnswer(ctx, e.cluster.PDAddrs(), benchKey(count-1), begin)
		if err != nil {
			return nil, err
		}
		took = append(took, seconds)
	}
	v := spread("seconds", took)
	v["data_mb"] = float64(count) * valueBytes / 1e6
	return v, nil
}

// spread is the median of some runs, and the best and the worst.
func spread(name string, runs []float64) Values {
	slices.Sort(runs)
	return Values{name: runs[len(runs)/2], name + "_best": runs[0], name + "_worst": runs[len(runs)-1], "runs": float64(len(runs))}
}

// startPD is the time from nothing to a member that leads and gives timestamps.
func startPD(ctx context.Context, e *env) (Values, error) {
	defer e.stop()
	begin := time.Now()
	if err := e.start(ctx, 1, 0); err != nil {
		return nil, err
	}
	return firstTimestamp(ctx, e, begin)
}

// restartPD is the same with the data of a member that was killed.
func restartPD(ctx context.Context, e *env) (Values, error) {
	defer e.stop()
	if err := e.start(ctx, 1, 1); err != nil {
		return nil, err
	}
	e.cluster.PDs[0].Kill()
	begin := time.Now()
	if err := errors.Join(e.cluster.PDs[0].Start(), e.pinServers()); err != nil {
		return nil, err
	}
	return firstTimestamp(ctx, e, begin)
}

func firstTimestamp(ctx context.Context, e *env, begin time.Time) (Values, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if err := timestamp(ctx, e.cluster.PDs[0].Addrs[0]); err == nil {
			return Values{"seconds": time.Since(begin).Seconds()}, nil
		} else if ctx.Err() != nil {
			return nil, err
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// timestamp asks one member for one, over a connection of its own.
func timestamp(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	conn, err := dial(address)
	if err != nil {
		return err
	}
	defer conn.Close()
	client := pdpb.NewPDClient(conn)
	members, err := client.GetMembers(ctx, &pdpb.GetMembersRequest{})
	if err != nil {
		return err
	}
	stream, err := client.Tso(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(&pdpb.TsoRequest{Header: &pdpb.RequestHeader{ClusterId: members.GetHeader().GetClusterId()}, Count: 1}); err != nil {
		return err
	}
	answer, err := stream.Recv()
	if err == nil && answer.GetHeader().GetError() != nil {
		err = fmt.Errorf("%s", answer.GetHeader().GetError())
	}
	return err
}

// gaps remembers the longest time without a success.
type gaps struct {
	mu      sync.Mutex
	last    time.Time
	longest time.Duration
}

func (g *gaps) success() {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if !g.last.IsZero() {
		g.longest = max(g.longest, now.Sub(g.last))
	}
	g.last = now
}

// gapAfter runs `try` from several loops, disturbs the cluster a second later, and returns the longest
// time without a success, which must have come back for a while.
func gapAfter(ctx context.Context, loops int, limit time.Duration, try func(context.Context, int) error, disturb func() error) (float64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var g gaps
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for n := range loops {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := try(ctx, n); err == nil {
					g.success()
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	time.Sleep(time.Second)
	if err := disturb(); err != nil {
		return 0, err
	}
	disturbed := time.Now()
	for {
		time.Sleep(100 * time.Millisecond)
		g.mu.Lock()
		last, longest := g.last, g.longest
		g.mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return 0, ctx.Err()
		// At first answers to what was sent before still come in.
		case time.Since(disturbed) > 5*time.Second && time.Since(last) < 100*time.Millisecond:
			return longest.Seconds(), nil
		case time.Since(disturbed) > limit:
			return 0, fmt.Errorf("no success for %s", time.Since(last))
		}
	}
}

// failoverStore kills the store that leads, under single writes.
func failoverStore(ctx context.Context, e *env) (Values, error) {
	return rounds(e, func() (float64, error) {
		defer e.stop()
		if err := e.start(ctx, 1, 3); err != nil {
			return 0, err
		}
		r, err := newRouter(ctx, e.cluster.PDAddrs())
		if err != nil {
			return 0, err
		}
		defer r.close()
		leader := e.cluster.Stores[0]
		if err := e.cluster.TransferLeader(ctx, "x", leader); err != nil {
			return 0, err
		}
		put := func(ctx context.Context, n int) error {
			ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
			defer cancel()
			return r.putAnywhere(ctx, benchKey(n), []byte("value"))
		}
		return gapAfter(ctx, 4, time.Minute, put, func() error { leader.Kill(); return nil })
	})
}

// failoverPD kills the PD member that leads, or makes it resign.
func failoverPD(ctx context.Context, e *env, how string) (Values, error) {
	return rounds(e, func() (float64, error) {
		defer e.stop()
		if err := e.start(ctx, 3, 1); err != nil {
			return 0, err
		}
		leader, err := e.leadingPD()
		if err != nil {
			return 0, err
		}
		ask := func(ctx context.Context, n int) error { return timestamp(ctx, e.cluster.PDs[n].Addrs[0]) }
		return gapAfter(ctx, 3, time.Minute, ask, func() error {
			if how == "kill" {
				leader.Kill()
				return nil
			}
			return cluster.Call("POST", leader.Addrs[0], "/pd/api/v1/leader/resign", "", nil)
		})
	})
}

func (e *env) leadingPD() (*cluster.Process, error) {
	var leader struct {
		Name string
	}
	if err := cluster.Call("GET", e.cluster.PDs[0].Addrs[0], "/pd/api/v1/leader", "", &leader); err != nil {
		return nil, err
	}
	for _, p := range e.cluster.PDs {
		if p.Name == leader.Name {
			return p, nil
		}
	}
	return nil, fmt.Errorf("PD says that %q leads", leader.Name)
}

func rounds(e *env, one func() (float64, error)) (Values, error) {
	count := 3
	if e.quick {
		count = 1
	}
	var took []float64
	for range count {
		seconds, err := one()
		if err != nil {
			return nil, err
		}
		took = append(took, seconds)
	}
	return spread("gap_seconds", took), nil
}
