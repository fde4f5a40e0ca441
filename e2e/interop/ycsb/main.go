// ycsb runs the core workloads of YCSB against a cluster through client-go's raw client, and
// checks what it reads: every value carries its key and a checksum.
//
//	ycsb -pd 127.0.0.1:2379 -workload a -records 1000 -operations 2000 -clients 16
//
// The load phase runs first; then the workload's mix:
//
//	a  50 % read, 50 % update             d  95 % read the latest, 5 % insert
//	b  95 % read, 5 % update              e  95 % scan, 5 % insert
//	c  read only                          f  50 % read, 50 % read-modify-write
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"hash/crc32"
	"math/rand"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/log"
	"github.com/tikv/client-go/v2/rawkv"
	"go.uber.org/zap"
)

type mix struct{ read, update, insert, scan, modify float64 }

var mixes = map[string]mix{
	"a": {read: .5, update: .5}, "b": {read: .95, update: .05}, "c": {read: 1},
	"d": {read: .95, insert: .05}, "e": {scan: .95, insert: .05}, "f": {read: .5, modify: .5},
}

var (
	pdAddrs    = flag.String("pd", "127.0.0.1:2379", "PD client addresses, comma separated")
	workloads  = flag.String("workload", "abcdef", "letters of the workloads to run, one after another")
	records    = flag.Int("records", 1000, "records to load")
	operations = flag.Int("operations", 2000, "operations per workload")
	clients    = flag.Int("clients", 16, "concurrent clients")
	v2         = flag.Bool("v2", false, "the stores run with API V2")
	size       = flag.Int("size", 1000, "bytes of a value")
	load       = flag.Bool("load", true, "run the load phase; without it the records are there already")
	seconds    = flag.Float64("seconds", 0, "end each phase after that time; 0: when all is done")
	asJSON     = flag.Bool("json", false, "print each phase as a line of JSON")
)

func main() {
	flag.Parse()
	logger, props, _ := log.InitLogger(&log.Config{Level: "fatal"}, zap.AddStacktrace(zap.FatalLevel))
	log.ReplaceGlobals(logger, props)
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "ycsb:", err)
		os.Exit(1)
	}
}

func run() error {
	api := kvrpcpb.APIVersion_V1
	if *v2 {
		api = kvrpcpb.APIVersion_V2
	}
	client, err := rawkv.NewClientWithOpts(context.Background(), strings.Split(*pdAddrs, ","), rawkv.WithAPIVersion(api))
	if err != nil {
		return err
	}
	defer client.Close()
	b := &bench{client: client}
	b.inserted.Store(int64(*records))
	if *load {
		if err := b.phase("load", *records, func(_ *rand.Rand, n int) error { return b.put(n) }); err != nil {
			return err
		}
	}
	for _, letter := range *workloads {
		m, ok := mixes[string(letter)]
		if !ok {
			return fmt.Errorf("no workload %q; there are a to f", letter)
		}
		latest := letter == 'd'
		op := func(r *rand.Rand, _ int) error { return b.one(r, m, latest) }
		if err := b.phase(string(letter), *operations, op); err != nil {
			return err
		}
	}
	return nil
}

type bench struct {
	client   *rawkv.Client
	inserted atomic.Int64
}

// phase runs op count times over all clients, or until the time is up, and prints what it took.
func (b *bench) phase(name string, count int, op func(*rand.Rand, int) error) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	latencies := make([][]time.Duration, *clients)
	errs := make([]error, *clients)
	begin := time.Now()
	for c := range *clients {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewSource(int64(c)))
			for n := next.Add(1) - 1; n < int64(count) && errs[c] == nil; n = next.Add(1) - 1 {
				start := time.Now()
				if *seconds > 0 && start.Sub(begin).Seconds() > *seconds {
					return
				}
				errs[c] = op(r, int(n))
				latencies[c] = append(latencies[c], time.Since(start))
			}
		}()
	}
	wg.Wait()
	took := time.Since(begin)
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	all := slices.Concat(latencies...)
	slices.Sort(all)
	return show(name, all, float64(len(all))/took.Seconds())
}

// show prints a phase; its latencies are sorted.
func show(name string, latencies []time.Duration, rate float64) error {
	if len(latencies) == 0 {
		return fmt.Errorf("%s: no operation within the time", name)
	}
	at := func(f float64) time.Duration { return latencies[min(len(latencies)-1, int(f*float64(len(latencies))))] }
	if !*asJSON {
		_, err := fmt.Printf("%-5s %7d operations  %9.0f/s  p50 %-10s p99 %s\n", name, len(latencies), rate, at(.5), at(.99))
		return err
	}
	micros := func(f float64) float64 { return float64(at(f).Nanoseconds()) / 1e3 }
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"phase": name, "operations": len(latencies),
		"ops_per_second": rate, "p50_us": micros(.5), "p99_us": micros(.99), "p999_us": micros(.999)})
}

func (b *bench) one(r *rand.Rand, m mix, latest bool) error {
	n := b.choose(r, latest)
	p := r.Float64()
	switch {
	case p < m.read:
		return b.get(n)
	case p < m.read+m.update:
		return b.put(n)
	case p < m.read+m.update+m.insert:
		return b.insert()
	case p < m.read+m.update+m.insert+m.scan:
		return b.scan(n, 1+r.Intn(100))
	default:
		if err := b.get(n); err != nil {
			return err
		}
		return b.put(n)
	}
}

// choose draws a record: skewed to few hot ones, or to the newest.
func (b *bench) choose(r *rand.Rand, latest bool) int {
	count := b.inserted.Load()
	n := int64(rand.NewZipf(r, 1.1, 10, uint64(count-1)).Uint64())
	if latest {
		return int(count - 1 - n)
	}
	return int(n * 7919 % count) // spread the hot ones over the key space
}

func (b *bench) insert() error {
	// The number becomes visible to `choose` only when the record is there.
	n := b.inserted.Load()
	if err := b.put(int(n)); err != nil {
		return err
	}
	b.inserted.CompareAndSwap(n, n+1)
	return nil
}

func key(n int) []byte { return fmt.Appendf(nil, "usertable:user%012d", n*2654435761%1_000_000_007) }

func value(k []byte) []byte {
	v := make([]byte, *size)
	rand.New(rand.NewSource(time.Now().UnixNano())).Read(v[4:])
	copy(v[4:], k)
	binary.LittleEndian.PutUint32(v, crc32.ChecksumIEEE(v[4:]))
	return v
}

func verify(k, v []byte) error {
	if len(v) != *size || !bytes.HasPrefix(v[4:], k) || binary.LittleEndian.Uint32(v) != crc32.ChecksumIEEE(v[4:]) {
		return fmt.Errorf("key %q holds %d bytes that nobody wrote there", k, len(v))
	}
	return nil
}

func (b *bench) put(n int) error {
	k := key(n)
	return b.client.Put(context.Background(), k, value(k))
}

func (b *bench) get(n int) error {
	k := key(n)
	v, err := b.client.Get(context.Background(), k)
	if err != nil {
		return err
	}
	return verify(k, v)
}

func (b *bench) scan(n, limit int) error {
	keys, values, err := b.client.Scan(context.Background(), key(n), []byte("usertable:v"), limit)
	if err != nil {
		return err
	}
	if len(keys) == 0 || !slices.IsSortedFunc(keys, bytes.Compare) {
		return fmt.Errorf("scan of %d from %q: %d keys, sorted: %v", limit, key(n), len(keys), slices.IsSortedFunc(keys, bytes.Compare))
	}
	for i := range keys {
		if err := verify(keys[i], values[i]); err != nil {
			return err
		}
	}
	return nil
}
