package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"e2e/process/cluster"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"
	pd "github.com/tikv/pd/client"
	"github.com/tikv/pd/client/opt"
	"github.com/tikv/pd/client/pkg/caller"
)

// pdSpent runs load and adds what PD spent on each of its operations.
func pdSpent(e *env, load func() (Values, error)) (Values, error) {
	profiler, err := e.profile(e.cluster.PDs)
	if err != nil {
		return nil, err
	}
	machine, before := machineMicros(), usageOf(e.cluster.PDs)
	v, err := load()
	spent := usageOf(e.cluster.PDs).minus(before)
	machine = machineMicros() - machine
	if err := errors.Join(err, profiler.stop()); err != nil {
		return nil, err
	}
	v["cpu_us_per_op"] = spent.cpuMicros / v["operations"]
	v["per_second_and_core"] = 1e6 / max(v["cpu_us_per_op"], 1e-3)
	v["rss_mb"] = spent.rssBytes / 1e6
	v["others_percent"] = max(0, machine-spent.cpuMicros-v["client_cpu_us_per_op"]*v["operations"]) / machine * 100
	return v, nil
}

// tsoStream asks for one timestamp, waits, asks for the next.
func tsoStream(ctx context.Context, e *env) (Values, error) {
	r, err := newRouter(ctx, e.cluster.PDAddrs())
	if err != nil {
		return nil, err
	}
	defer r.close()
	stream, err := r.pds[0].Tso(ctx)
	if err != nil {
		return nil, err
	}
	request := &pdpb.TsoRequest{Header: r.header(), Count: 1}
	return pdSpent(e, func() (Values, error) {
		return closedLoop(ctx, 1, e.seconds, func(context.Context, *rand.Rand) error {
			if err := stream.Send(request); err != nil {
				return err
			}
			_, err := stream.Recv()
			return err
		})
	})
}

// tsoClient is the Go client of PD, which gathers what its callers want.
func tsoClient(ctx context.Context, e *env, waiters int) (Values, error) {
	client, err := pd.NewClient(caller.TestComponent, []string{e.cluster.PDs[0].Addrs[0]}, pd.SecurityOption{},
		opt.WithCustomTimeoutOption(5*time.Second))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return pdSpent(e, func() (Values, error) {
		return closedLoop(ctx, waiters, e.seconds, func(ctx context.Context, _ *rand.Rand) error {
			_, _, err := client.GetTS(ctx)
			return err
		})
	})
}

// heartbeats reports the regions of one store over and over, as fast as PD takes them.
func heartbeats(ctx context.Context, e *env) (Values, error) {
	r, err := newRouter(ctx, e.cluster.PDAddrs())
	if err != nil {
		return nil, err
	}
	defer r.close()
	count := 100_000
	if e.quick {
		count = 2_000
	}
	requests, err := fakeRegions(ctx, r, count)
	if err != nil {
		return nil, err
	}
	stream, err := r.pds[0].RegionHeartbeat(ctx)
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			if _, err := stream.Recv(); err != nil {
				return
			}
		}
	}()
	report := func(size uint64) error {
		for _, request := range requests {
			request.ApproximateSize = size
			if err := stream.Send(request); err != nil {
				return err
			}
		}
		return reported(ctx, e, requests[count-1].Region.Id, size)
	}
	if err := report(10 << 20); err != nil { // The first one saves the region: not what is measured.
		return nil, err
	}
	return pdSpent(e, func() (Values, error) {
		v, cpu, begin := Values{}, ownCPU(), time.Now()
		for round := uint64(1); time.Since(begin).Seconds() < e.seconds; round++ {
			if err := report((10 + round%7) << 20); err != nil {
				return nil, err
			}
			v["operations"] += float64(count)
		}
		v["ops_per_second"] = v["operations"] / time.Since(begin).Seconds()
		v["client_cpu_us_per_op"] = float64((ownCPU() - cpu).Microseconds()) / v["operations"]
		return v, nil
	})
}

// fakeRegions bootstraps the cluster with a store that does not exist, and makes the heartbeats of
// its regions, which tile the key space.
func fakeRegions(ctx context.Context, r *router, count int) ([]*pdpb.RegionHeartbeatRequest, error) {
	store := &metapb.Store{Id: 1, Address: "127.0.0.1:1", Version: "8.5.0"}
	regions := make([]*metapb.Region, count)
	for i := range regions {
		regions[i] = &metapb.Region{Id: uint64(10 + 2*i), RegionEpoch: &metapb.RegionEpoch{ConfVer: 1, Version: 2},
			Peers: []*metapb.Peer{{Id: uint64(11 + 2*i), StoreId: store.Id}}}
		if i > 0 {
			regions[i].StartKey = fmt.Appendf(nil, "table-and-row/%010d", i)
			regions[i-1].EndKey = regions[i].StartKey
		}
	}
	first := *regions[0]
	first.EndKey, first.RegionEpoch = nil, &metapb.RegionEpoch{ConfVer: 1, Version: 1}
	answer, err := r.pds[0].Bootstrap(ctx, &pdpb.BootstrapRequest{Header: r.header(), Store: store, Region: &first})
	if err == nil && answer.GetHeader().GetError() != nil {
		err = fmt.Errorf("bootstrap: %s", answer.GetHeader().GetError())
	}
	if err != nil {
		return nil, err
	}
	var requests []*pdpb.RegionHeartbeatRequest
	now := uint64(time.Now().Unix())
	for _, region := range regions {
		requests = append(requests, &pdpb.RegionHeartbeatRequest{Header: r.header(), Region: region, Leader: region.Peers[0],
			ApproximateKeys: 1000, Term: 6, BytesWritten: 4096, KeysWritten: 16,
			Interval: &pdpb.TimeInterval{StartTimestamp: now - 60, EndTimestamp: now}})
	}
	return requests, nil
}

// reported waits until PD shows what the last heartbeat of a round said.
func reported(ctx context.Context, e *env, region, size uint64) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		var shown struct {
			Size uint64 `json:"approximate_size"`
		}
		err := cluster.Call(http.MethodGet, e.cluster.PDs[0].Addrs[0], fmt.Sprintf("/pd/api/v1/region/id/%d", region), "", &shown)
		if err == nil && shown.Size == size>>20 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("PD still does not show region %d with %d MB, but %d (%v)", region, size>>20, shown.Size, err)
		case <-time.After(2 * time.Millisecond):
		}
	}
}
