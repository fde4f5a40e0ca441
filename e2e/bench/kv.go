package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"
	"github.com/pingcap/kvproto/pkg/tikvpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const connectionsPerStore = 4

// router finds the leader of a key's region and calls it with plain unary calls: nothing is
// batched, nothing is repeated behind the caller's back.  Thread-safe.
type router struct {
	pds []pdpb.PDClient
	id  uint64 // of the cluster

	mu     sync.Mutex
	target atomic.Pointer[target] // the last one found
	stores map[string][]tikvpb.TikvClient
	conns  []*grpc.ClientConn
	next   atomic.Uint64
}

type target struct {
	region *metapb.Region
	peer   *metapb.Peer
	stubs  []tikvpb.TikvClient
}

func (t *target) holds(key string) bool {
	return string(t.region.StartKey) <= key && (len(t.region.EndKey) == 0 || key < string(t.region.EndKey))
}

func dial(address string) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
}

func newRouter(ctx context.Context, pdAddrs string) (*router, error) {
	r := &router{stores: map[string][]tikvpb.TikvClient{}}
	for _, address := range strings.Split(pdAddrs, ",") {
		conn, err := dial(address)
		if err != nil {
			return nil, err
		}
		r.conns = append(r.conns, conn)
		r.pds = append(r.pds, pdpb.NewPDClient(conn))
	}
	members, err := r.pds[0].GetMembers(ctx, &pdpb.GetMembersRequest{})
	if err != nil {
		r.close()
		return nil, err
	}
	r.id = members.GetHeader().GetClusterId()
	return r, nil
}

func (r *router) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conn := range r.conns {
		conn.Close()
	}
}

func (r *router) header() *pdpb.RequestHeader { return &pdpb.RequestHeader{ClusterId: r.id} }

// find asks PD unless the last region found holds the key.
func (r *router) find(ctx context.Context, key string) (*target, error) {
	if t := r.target.Load(); t != nil && t.holds(key) {
		return t, nil
	}
	region, err := r.pds[0].GetRegion(ctx, &pdpb.GetRegionRequest{Header: r.header(), RegionKey: []byte(key)})
	if err != nil {
		return nil, err
	}
	if region.GetLeader().GetStoreId() == 0 {
		return nil, errors.New("PD knows no leader")
	}
	store, err := r.pds[0].GetStore(ctx, &pdpb.GetStoreRequest{Header: r.header(), StoreId: region.Leader.StoreId})
	if err != nil {
		return nil, err
	}
	stubs, err := r.stubs(store.GetStore().GetAddress())
	if err != nil {
		return nil, err
	}
	t := &target{region.Region, region.Leader, stubs}
	r.target.Store(t)
	return t, nil
}

func (r *router) stubs(address string) ([]tikvpb.TikvClient, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if stubs := r.stores[address]; stubs != nil {
		return stubs, nil
	}
	var stubs []tikvpb.TikvClient
	for range connectionsPerStore {
		conn, err := dial(address)
		if err != nil {
			return nil, err
		}
		r.conns = append(r.conns, conn)
		stubs = append(stubs, tikvpb.NewTikvClient(conn))
	}
	r.stores[address] = stubs
	return stubs, nil
}

// reply is what all answers of stores have.
type reply interface{ GetRegionError() *errorpb.Error }

// call makes one attempt; after a failure the next one asks PD again.
func (r *router) call(ctx context.Context, key string,
	do func(context.Context, tikvpb.TikvClient, *kvrpcpb.Context) (reply, error)) error {
	t, err := r.find(ctx, key)
	if err != nil {
		return err
	}
	stub := t.stubs[r.next.Add(1)%uint64(len(t.stubs))]
	answer, err := do(ctx, stub, &kvrpcpb.Context{RegionId: t.region.Id, RegionEpoch: t.region.RegionEpoch, Peer: t.peer})
	if err == nil && answer.GetRegionError() != nil {
		err = fmt.Errorf("region error: %s", answer.GetRegionError())
	}
	if err != nil {
		r.target.CompareAndSwap(t, nil)
	}
	return err
}

func (r *router) get(ctx context.Context, key string) error {
	return r.call(ctx, key, func(ctx context.Context, c tikvpb.TikvClient, kc *kvrpcpb.Context) (reply, error) {
		answer, err := c.RawGet(ctx, &kvrpcpb.RawGetRequest{Context: kc, Key: []byte(key)})
		if err == nil && answer.Error != "" {
			err = errors.New(answer.Error)
		}
		return answer, err
	})
}

func (r *router) put(ctx context.Context, key string, value []byte) error {
	return r.call(ctx, key, func(ctx context.Context, c tikvpb.TikvClient, kc *kvrpcpb.Context) (reply, error) {
		answer, err := c.RawPut(ctx, &kvrpcpb.RawPutRequest{Context: kc, Key: []byte(key), Value: value})
		if err == nil && answer.Error != "" {
			err = errors.New(answer.Error)
		}
		return answer, err
	})
}

// benchKey is the key that `tikv-ctl bench` uses.
func benchKey(n int) string { return fmt.Sprintf("bench/%012d", n) }

// fill writes keys [0, count) in batches, so that every get of the lines to come finds a value.
func (r *router) fill(ctx context.Context, count int, value func(n int) []byte) error {
	const batch, writers = 64, 4
	var next atomic.Int64
	errs := make(chan error, writers)
	for range writers {
		go func() {
			for {
				from := int(next.Add(batch)) - batch
				if from >= count {
					errs <- nil
					return
				}
				if err := r.fillOne(ctx, from, min(from+batch, count), value); err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	var all error
	for range writers {
		all = errors.Join(all, <-errs)
	}
	return all
}

// fillOne repeats until the batch is in: regions split while they are filled.
func (r *router) fillOne(ctx context.Context, from, to int, value func(n int) []byte) error {
	for {
		end := to
		err := r.call(ctx, benchKey(from), func(ctx context.Context, c tikvpb.TikvClient, kc *kvrpcpb.Context) (reply, error) {
			request := &kvrpcpb.RawBatchPutRequest{Context: kc}
			t := r.target.Load()
			for end = from; end < to && (t == nil || t.holds(benchKey(end))); end++ {
				request.Pairs = append(request.Pairs, &kvrpcpb.KvPair{Key: []byte(benchKey(end)), Value: value(end)})
			}
			answer, err := c.RawBatchPut(ctx, request)
			if err == nil && answer.Error != "" {
				err = errors.New(answer.Error)
			}
			return answer, err
		})
		switch {
		case err == nil && end > from:
			if from = end; from == to {
				return nil
			}
		case ctx.Err() != nil:
			return errors.Join(ctx.Err(), err)
		case err != nil:
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// putAnywhere is put, by way of the leader that a store names: PD learns of it later.
func (r *router) putAnywhere(ctx context.Context, key string, value []byte) error {
	var refused *errorpb.Error
	t, err := r.find(ctx, key)
	if err != nil {
		return err
	}
	err = r.call(ctx, key, func(ctx context.Context, c tikvpb.TikvClient, kc *kvrpcpb.Context) (reply, error) {
		answer, err := c.RawPut(ctx, &kvrpcpb.RawPutRequest{Context: kc, Key: []byte(key), Value: value})
		if err == nil {
			refused = answer.RegionError
		}
		return answer, err
	})
	if err == nil {
		return nil
	}
	// After a failure any replica may know better than PD.
	next := t.region.Peers[r.next.Add(1)%uint64(len(t.region.Peers))]
	if leader := refused.GetNotLeader().GetLeader(); leader != nil {
		next = leader
	}
	store, storeErr := r.pds[0].GetStore(ctx, &pdpb.GetStoreRequest{Header: r.header(), StoreId: next.StoreId})
	if storeErr != nil {
		return storeErr
	}
	stubs, dialErr := r.stubs(store.GetStore().GetAddress())
	if dialErr != nil {
		return dialErr
	}
	r.target.Store(&target{t.region, next, stubs})
	return err
}
