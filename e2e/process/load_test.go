package process

import (
	"context"
	"fmt"
	"math/rand"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"e2e/process/history"

	"github.com/tikv/client-go/v2/rawkv"
	"github.com/tikv/pd/client/opt"
)

const opTimeout = 15 * time.Second

// load runs, per group of registers, one writer (put, delete, batch, compare-and-swap) and one
// reader (get, batch, scan up and down) until stopped, and records what they saw.
type load struct {
	log    *history.Log
	plain  *rawkv.Client
	atomic *rawkv.Client // Its writes exclude compare-and-swap.
	groups []*group
	cancel context.CancelFunc
	done   sync.WaitGroup
	once   sync.Once
	mu     sync.Mutex
	failed int
}

func newLoad(t *testing.T, pdAddrs string, groups int) *load {
	t.Helper()
	connect := func() *rawkv.Client {
		client, err := rawkv.NewClientWithOpts(context.Background(), strings.Split(pdAddrs, ","),
			rawkv.WithPDOptions(opt.WithMaxErrorRetry(10)))
		if err != nil {
			t.Fatal(err)
		}
		return client
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{log: history.New(), plain: connect(), atomic: connect(), cancel: cancel}
	l.atomic.SetAtomicForCAS(true)
	for n := range groups {
		g := newGroup(l, n)
		l.groups = append(l.groups, g)
		l.done.Add(2)
		go g.write(ctx)
		go g.read(ctx)
	}
	return l
}

func (l *load) stop() {
	l.once.Do(func() {
		l.cancel()
		l.done.Wait()
		l.plain.Close()
		l.atomic.Close()
	})
}

// check stops the load, after a last look at every register, and judges the history.
func (l *load) check(t *testing.T) {
	t.Helper()
	l.cancel()
	l.done.Wait()
	for _, g := range l.groups {
		for _, get := range []func(keys []string) error{g.getAll, g.scanUp, g.scanDown} {
			if err := get(g.names()); err != nil {
				t.Errorf("group %d after the last kill: %v", g.number, err)
			}
		}
	}
	l.stop()
	t.Logf("%d operations, %d of unknown outcome", l.log.Count(), l.failures())
	if err := l.log.Check(time.Minute); err != nil {
		t.Fatal(err)
	}
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

// group is a few registers side by side.  A write of unknown outcome retires its key: the register
// goes on under another.
type group struct {
	load   *load
	client *rawkv.Client
	number int
	random *rand.Rand // Of the writer.

	mu   sync.Mutex
	keys []string // Current, one per register.

	value, generation int   // Of the writer.
	last              []int // What each register holds.
}

const registers = 4

func newGroup(l *load, number int) *group {
	g := &group{load: l, client: l.plain, number: number, random: rand.New(rand.NewSource(int64(number))),
		keys: make([]string, registers), last: make([]int, registers)}
	if number%2 == 0 {
		g.client = l.atomic
	}
	for r := range registers {
		g.renew(r)
	}
	return g
}

func (g *group) renew(r int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.generation++
	g.keys[r] = fmt.Sprintf("register/%d/%d/%d", g.number, r, g.generation)
	g.last[r] = history.Absent
}

func (g *group) names() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string{}, g.keys...)
}

// bounded is not derived from the load's context: stopping must not leave a write of unknown outcome.
func bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), opTimeout)
}

func (g *group) write(ctx context.Context) {
	defer g.load.done.Done()
	for ctx.Err() == nil {
		picked := g.random.Perm(registers)
		switch n := g.random.Intn(10); {
		case n < 4:
			g.store(picked[:1], false)
		case n < 5:
			g.store(picked[:1], true)
		case n < 7:
			g.store(picked[:1+g.random.Intn(registers)], false)
		case n < 8:
			g.store(picked[:2], true)
		case g.client == g.load.atomic:
			g.swap(picked[0])
		}
	}
}

// store writes new values to some registers, or deletes them, in one call.
func (g *group) store(picked []int, remove bool) {
	var keys, values [][]byte
	var written []int
	for _, r := range picked {
		g.value++
		written = append(written, g.value)
		if remove {
			written[len(written)-1] = history.Absent
		}
		keys = append(keys, []byte(g.keys[r]))
		values = append(values, []byte(strconv.Itoa(g.value)))
	}
	op, cancel := bounded()
	defer cancel()
	call := g.load.log.Now()
	var err error
	switch {
	case len(keys) == 1 && remove:
		err = g.client.Delete(op, keys[0])
	case len(keys) == 1:
		err = g.client.Put(op, keys[0], values[0])
	case remove:
		err = g.client.BatchDelete(op, keys)
	default:
		err = g.client.BatchPut(op, keys, values)
	}
	for i, r := range picked {
		g.load.log.Write(2*g.number, g.keys[r], written[i], call, err == nil)
		g.last[r] = written[i]
		if err != nil {
			g.load.failure()
			g.renew(r)
		}
	}
}

// swap exchanges what the register holds.  A client that repeats a swap after a lost answer finds
// its own value: it has been swapped.
func (g *group) swap(r int) {
	g.value++
	key, expected, value := g.keys[r], g.last[r], g.value
	var previous []byte
	if expected != history.Absent {
		previous = []byte(strconv.Itoa(expected))
	}
	op, cancel := bounded()
	defer cancel()
	call := g.load.log.Now()
	found, swapped, err := g.client.CompareAndSwap(op, []byte(key), previous, []byte(strconv.Itoa(value)))
	switch {
	case err != nil:
		g.load.log.Write(2*g.number, key, value, call, false)
		g.load.failure()
		g.renew(r)
	case swapped || number(found) == value:
		g.load.log.Swap(2*g.number, key, expected, value, call)
		g.last[r] = value
	default: // Only the writer writes: the check will object.
		g.load.log.Read(2*g.number, key, number(found), call)
	}
}

func number(value []byte) int {
	if value == nil {
		return history.Absent
	}
	n, _ := strconv.Atoi(string(value))
	return n
}

func (g *group) read(ctx context.Context) {
	defer g.load.done.Done()
	random := rand.New(rand.NewSource(int64(-g.number - 1)))
	for ctx.Err() == nil {
		names := g.names()
		var err error
		switch random.Intn(6) {
		case 0:
			err = g.scanUp(names)
		case 1:
			err = g.scanDown(names)
		case 2:
			err = g.getAll(names)
		default:
			err = g.getOne(names[random.Intn(registers)])
		}
		if err != nil {
			g.load.failure()
		}
	}
}

// saw records one read of each name.
func (g *group) saw(names []string, found map[string][]byte, call int64) {
	for _, name := range names {
		g.load.log.Read(2*g.number+1, name, number(found[name]), call)
	}
}

func (g *group) getOne(name string) error {
	op, cancel := bounded()
	defer cancel()
	call := g.load.log.Now()
	got, err := g.client.Get(op, []byte(name))
	if err == nil {
		g.load.log.Read(2*g.number+1, name, number(got), call)
	}
	return err
}

func (g *group) getAll(names []string) error {
	var keys [][]byte
	for _, name := range names {
		keys = append(keys, []byte(name))
	}
	op, cancel := bounded()
	defer cancel()
	call := g.load.log.Now()
	values, err := g.client.BatchGet(op, keys)
	if err != nil {
		return err
	}
	found := map[string][]byte{}
	for i, value := range values {
		found[names[i]] = value
	}
	g.saw(names, found, call)
	return nil
}

func (g *group) scanUp(names []string) error {
	return g.scan(names, func(op context.Context, low, high []byte) ([][]byte, [][]byte, error) {
		return g.client.Scan(op, low, high, 10_000)
	})
}

func (g *group) scanDown(names []string) error {
	return g.scan(names, func(op context.Context, low, high []byte) ([][]byte, [][]byte, error) {
		return g.client.ReverseScan(op, high, low, 10_000)
	})
}

func (g *group) scan(names []string, do func(op context.Context, low, high []byte) ([][]byte, [][]byte, error)) error {
	op, cancel := bounded()
	defer cancel()
	low := fmt.Sprintf("register/%d/", g.number)
	high := fmt.Sprintf("register/%d0", g.number)
	call := g.load.log.Now()
	keys, values, err := do(op, []byte(low), []byte(high))
	if err != nil {
		return err
	}
	found := map[string][]byte{}
	for i, key := range keys {
		found[string(key)] = values[i]
	}
	g.saw(names, found, call)
	return nil
}
