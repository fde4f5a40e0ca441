package main

import (
	"crypto/sha256"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Calibration is how fast this machine is just now, in the units of those figures that the
// original's were taken beside.
type Calibration struct {
	LoopSeconds   float64 `json:"loop_seconds"`    // CPU time of 300 M dependent xorshift rounds
	SyncP50Micros float64 `json:"sync_p50_us"`     // fdatasync of an appended 4 KiB
	RoundTrips    float64 `json:"round_trips"`     // 64 B over loopback TCP, per second
	HashGBs       float64 `json:"hash_gb_s"`       // SHA-256 of 16 KiB blocks
	Busy          float64 `json:"busy_percent"`    // of the loop's wall time, spent by others on its core
	Drift         float64 `json:"drift,omitempty"` // of a pair: how far the loop moved, as a share
}

// calibrate takes about half a second.  dir is on the disk under test.
func calibrate(dir string) (Calibration, error) {
	var c Calibration
	c.LoopSeconds, c.Busy = loop()
	var err error
	if c.SyncP50Micros, err = syncs(dir); err != nil {
		return c, err
	}
	if c.RoundTrips, err = roundTrips(); err != nil {
		return c, err
	}
	c.HashGBs = hashes()
	return c, nil
}

// between joins what was measured before and after a line.
func between(a, b Calibration) Calibration {
	mean := func(x, y float64) float64 { return (x + y) / 2 }
	return Calibration{mean(a.LoopSeconds, b.LoopSeconds), mean(a.SyncP50Micros, b.SyncP50Micros),
		mean(a.RoundTrips, b.RoundTrips), mean(a.HashGBs, b.HashGBs), mean(a.Busy, b.Busy),
		max(a.LoopSeconds, b.LoopSeconds)/min(a.LoopSeconds, b.LoopSeconds) - 1}
}

var sink uint64

// loop counts CPU time, so that a neighbour who takes the core away is told apart from a slower
// core; the second value is the share that the neighbour took.
func loop() (seconds, busy float64) {
	const rounds = 75_000_000
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	wall, cpu := time.Now(), threadCPU()
	x := uint64(0x2545F4914F6CDD1D)
	for range rounds {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	sink = x
	used, took := (threadCPU() - cpu).Seconds(), time.Since(wall).Seconds()
	return used * 300e6 / rounds, max(0, 1-used/took) * 100
}

func threadCPU() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
	return time.Duration(t.Nano())
}

func syncs(dir string) (float64, error) {
	path := filepath.Join(dir, "calibration")
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer os.Remove(path)
	defer f.Close()
	block := make([]byte, 4096)
	var took []float64
	for begin := time.Now(); len(took) < 300 && time.Since(begin) < time.Second; {
		start := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return 0, err
		}
		took = append(took, float64(time.Since(start).Nanoseconds())/1e3)
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}

// roundTrips uses blocking system calls on threads of their own: Go's poller would be a third of
// what is measured.
func roundTrips() (float64, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, _ := listener.Accept()
		accepted <- conn
	}()
	near, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		return 0, err
	}
	a, err := blocking(near)
	if err != nil {
		return 0, err
	}
	defer a.Close()
	b, err := blocking(<-accepted)
	if err != nil {
		return 0, err
	}
	go func() {
		runtime.LockOSThread()
		defer b.Close()
		message := make([]byte, 64)
		for {
			if _, err := io.ReadFull(b, message); err != nil {
				return
			}
			if _, err := b.Write(message); err != nil {
				return
			}
		}
	}()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	message, trips, begin := make([]byte, 64), 0, time.Now()
	for ; time.Since(begin) < 150*time.Millisecond; trips++ {
		if _, err := a.Write(message); err != nil {
			return 0, err
		}
		if _, err := io.ReadFull(a, message); err != nil {
			return 0, err
		}
	}
	return float64(trips) / time.Since(begin).Seconds(), nil
}

func blocking(conn net.Conn) (*os.File, error) {
	defer conn.Close()
	f, err := conn.(*net.TCPConn).File()
	if err != nil {
		return nil, err
	}
	return f, syscall.SetNonblock(int(f.Fd()), false)
}

func hashes() float64 {
	block, done, begin := make([]byte, 16384), 0, time.Now()
	for ; time.Since(begin) < 50*time.Millisecond; done += len(block) {
		sink += uint64(sha256.Sum256(block)[0])
	}
	return float64(done) / time.Since(begin).Seconds() / 1e9
}
