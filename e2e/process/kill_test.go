// Package process holds tests that hurt real server processes under load.
package process

import (
	"context"
	"flag"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"e2e/process/cluster"

	"github.com/pingcap/log"
	"go.uber.org/zap"
)

var (
	bin    = flag.String("bin", "../../build/release/bin", "folder of pd-server and tikv-server")
	rounds = flag.Int("rounds", 30, "number of kills")
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
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, border := range []string{"register/1", "register/2/2"} { // Three regions, a group across two.
		if err := c.Split(ctx, border); err != nil {
			t.Fatal(err)
		}
	}
	killLoop(t, c, *rounds)
}

// killLoop kills `rounds` times, each time other members of c, while a load runs, and checks what the
// load saw.
func killLoop(t *testing.T, c *cluster.Cluster, rounds int) {
	t.Helper()
	if *seed == 0 {
		*seed = time.Now().UnixNano()
	}
	t.Logf("-seed=%d", *seed)
	random := rand.New(rand.NewSource(*seed))
	load := newLoad(t, c.PDAddrs(), 4)
	defer load.stop()
	var deck [][]*cluster.Process
	for round := range rounds {
		load.progress(t, 200)
		if len(deck) == 0 {
			deck = shuffled(random, c)
		}
		victims := deck[0]
		deck = deck[1:]
		// A single member may stay away for a while: the others must go on.
		away := len(victims) == 1 && (len(c.PDs) > 1 || victims[0] != c.PDs[0]) && random.Intn(2) == 0
		t.Logf("round %d: kill %s (stays away: %v)", round, names(victims), away)
		for _, p := range victims {
			p.Kill()
		}
		if away {
			load.progress(t, 200)
		}
		for _, p := range victims {
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
		}
	}
	load.progress(t, 200)
	load.check(t)
}

// shuffled holds every store, a PD member, and everything at once, in random order.
func shuffled(random *rand.Rand, c *cluster.Cluster) [][]*cluster.Process {
	deck := [][]*cluster.Process{
		append(append([]*cluster.Process{}, c.Stores...), c.PDs...),
		{c.PDs[random.Intn(len(c.PDs))]},
	}
	for _, store := range c.Stores {
		deck = append(deck, []*cluster.Process{store})
	}
	random.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
	return deck
}

func start(t *testing.T, pds, stores int) *cluster.Cluster {
	t.Helper()
	return startWith(t, cluster.Options{PDs: pds, Stores: stores})
}

// startWith starts a cluster with the binaries under test in a folder of its own.
func startWith(t *testing.T, o cluster.Options) *cluster.Cluster {
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
	o.Bin, o.Dir = path, dir
	c, err := cluster.Start(ctx, o)
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

func names(ps []*cluster.Process) string {
	var out []string
	for _, p := range ps {
		out = append(out, p.Name)
	}
	return strings.Join(out, " ")
}

// hurt splits regions, moves leaders and kills each store once.
func hurt(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for n, border := range []string{"bench/000000003", "bench/000000006", "bench/000000009"} {
		if err := c.Split(ctx, border); err != nil {
			t.Fatal(err)
		}
		if err := c.TransferLeader(ctx, border, c.Stores[n]); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range c.Stores {
		p.Kill()
		time.Sleep(time.Second) // The others serve alone.
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		if err := c.WaitReady(ctx); err != nil {
			t.Fatal(err)
		}
	}
}
