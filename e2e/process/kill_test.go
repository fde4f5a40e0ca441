// Package process holds tests that hurt real server processes under load.
package process

import (
	"context"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"e2e/process/cluster"
	"e2e/process/history"

	"github.com/pingcap/log"
	"github.com/tikv/client-go/v2/rawkv"
	"github.com/tikv/pd/client/opt"
	"go.uber.org/zap"
)

var (
	bin    = flag.String("bin", "../../build/release/bin", "folder of pd-server and tikv-server")
	rounds = flag.Int("rounds", 20, "number of kills")
	seed   = flag.Int64("seed", 0, "order of the kills; 0 draws one")
)

func TestMain(m *testing.M) {
	flag.Parse()
	logger, props, _ := log.InitLogger(&log.Config{Level: "fatal"}, zap.AddStacktrace(zap.FatalLevel))
	log.ReplaceGlobals(logger, props)
	os.Exit(m.Run())
}

// TestKill kills a store, PD or everything at once, again and again, under load.  No acknowledged
// write may be lost, no read may be stale, and the cluster must serve again after each restart.
func TestKill(t *testing.T) {
	c := start(t, 1, 3)
	if *seed == 0 {
		*seed = time.Now().UnixNano()
	}
	t.Logf("-seed=%d", *seed)
	random := rand.New(rand.NewSource(*seed))
	load := newLoad(t, c.PDAddrs(), 4)
	defer load.stop()

	for round := range *rounds {
		load.progress(t, 200)
		victims := pick(random, c)
		t.Logf("round %d: kill %s", round, names(victims))
		for _, p := range victims {
			p.Kill()
		}
		for _, p := range victims {
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
		}
	}
	load.progress(t, 200)
	load.stop()
	t.Logf("%d operations, %d errors", load.log.Count(), load.failures())
	if err := load.log.Check(time.Minute); err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, pds, stores int) *cluster.Cluster {
	t.Helper()
	path, err := filepath.Abs(*bin)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "process-")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := cluster.Start(ctx, cluster.Options{Bin: path, Dir: dir, PDs: pds, Stores: stores})
	t.Cleanup(func() {
		c.Kill()
		if t.Failed() {
			t.Logf("data and logs are in %s", dir)
		} else {
			os.RemoveAll(dir)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// pick draws one store (three times in five), PD, or everything.
func pick(random *rand.Rand, c *cluster.Cluster) []*cluster.Process {
	switch random.Intn(5) {
	case 0:
		return c.PDs
	case 1:
		return append(append([]*cluster.Process{}, c.Stores...), c.PDs...)
	default:
		return []*cluster.Process{c.Stores[random.Intn(len(c.Stores))]}
	}
}

func names(ps []*cluster.Process) string {
	var out []string
	for _, p := range ps {
		out = append(out, p.Name)
	}
	return strings.Join(out, " ")
}

// load runs one writer and one reader per register until stopped.
type load struct {
	log    *history.Log
	client *rawkv.Client
	cancel context.CancelFunc
	done   sync.WaitGroup
	once   sync.Once
	mu     sync.Mutex
	failed int
}

func newLoad(t *testing.T, pdAddrs string, registers int) *load {
	t.Helper()
	client, err := rawkv.NewClientWithOpts(context.Background(), strings.Split(pdAddrs, ","),
		rawkv.WithPDOptions(opt.WithMaxErrorRetry(10)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{log: history.New(), client: client, cancel: cancel}
	for n := range registers {
		r := &register{load: l, number: n}
		r.fresh()
		l.done.Add(2)
		go r.write(ctx)
		go r.read(ctx)
	}
	return l
}

func (l *load) stop() {
	l.once.Do(func() {
		l.cancel()
		l.done.Wait()
		l.client.Close()
	})
}

// progress waits until n more operations have succeeded.
func (l *load) progress(t *testing.T, n int) {
	t.Helper()
	target := l.log.Count() + n
	for deadline := time.Now().Add(time.Minute); l.log.Count() < target; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the cluster did not serve %d operations within a minute of a kill", n)
		}
	}
}

func (l *load) failure() {
	l.mu.Lock()
	l.failed++
	l.mu.Unlock()
}

func (l *load) failures() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// register is one key after another: a write of unknown outcome retires the key.
type register struct {
	load       *load
	number     int
	mu         sync.Mutex
	key        string
	generation int
}

func (r *register) fresh() {
	r.mu.Lock()
	r.generation++
	r.key = fmt.Sprintf("register/%d/%d", r.number, r.generation)
	r.mu.Unlock()
}

func (r *register) current() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.key
}

const opTimeout = 15 * time.Second

func (r *register) write(ctx context.Context) {
	defer r.load.done.Done()
	for value := 0; ctx.Err() == nil; value++ {
		key, call := r.current(), r.load.log.Now()
		// Not derived from ctx: stopping must not leave a write of unknown outcome behind.
		op, cancel := context.WithTimeout(context.Background(), opTimeout)
		err := r.load.client.Put(op, []byte(key), []byte(strconv.Itoa(value)))
		cancel()
		r.load.log.Write(2*r.number, key, value, call, err == nil)
		if err != nil {
			r.load.failure()
			r.fresh()
		}
	}
}

func (r *register) read(ctx context.Context) {
	defer r.load.done.Done()
	for ctx.Err() == nil {
		key, call := r.current(), r.load.log.Now()
		op, cancel := context.WithTimeout(context.Background(), opTimeout)
		got, err := r.load.client.Get(op, []byte(key))
		cancel()
		if err != nil {
			r.load.failure()
			continue
		}
		value := history.Absent
		if got != nil {
			value, _ = strconv.Atoi(string(got))
		}
		r.load.log.Read(2*r.number+1, key, value, call)
	}
}
