package rpcinterop

import (
	"bytes"
	"compress/gzip"
	"math/rand"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// The rows are those of the project's table of bad inputs.  Memory has ceilings; latency is printed
// only, because the machine is shared.

const (
	okStatus, invalid, exhausted, unimplemented = "0", "3", "8", "12"
	emptyCall                                   = "/grpc.testing.TestService/EmptyCall"
	unaryCall                                   = "/grpc.testing.TestService/UnaryCall"
)

func TestRow01IdleConnections(t *testing.T) {
	raiseFileLimit(t, 12_000)
	s := startServer(t, "--max-connections=2000", "--max-connections-per-peer=100000")
	before := s.stats()
	underAttack(t, s, func(s *server) {
		var conns []net.Conn
		defer func() {
			for _, c := range conns {
				c.Close()
			}
		}()
		for i := 0; i < 10_000; i++ {
			c, err := net.Dial("tcp", s.addr())
			if err != nil {
				t.Errorf("connection %d: %v", i, err)
				return
			}
			c.Write([]byte(http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"))
			conns = append(conns, c)
		}
		after := s.stats()
		t.Logf("open %d, idle ones evicted %d, refused %d", after["connections"], after["evicted_idle"],
			after["refused_connections"])
		if after["connections"] > 2100 {
			t.Errorf("%d connections are open", after["connections"])
		}
	})
	grew(t, s, before, 64)
}

func TestRow01FileExhaustion(t *testing.T) {
	if *serverPath == "" {
		t.Skip("-server is not given")
	}
	path := *serverPath
	defer func() { *serverPath = path }()
	wrapper := t.TempDir() + "/limited"
	must(t, exec.Command("sh", "-c", "printf '#!/bin/sh\nulimit -n 200\nexec "+path+" \"$@\"\n' > "+wrapper+
		" && chmod +x "+wrapper).Run())
	*serverPath = wrapper
	s := startServer(t)
	var conns []net.Conn
	for i := 0; i < 400; i++ {
		c, err := net.Dial("tcp", s.addr())
		must(t, err)
		conns = append(conns, c)
	}
	for _, c := range conns {
		c.Close()
	}
	start := time.Now()
	for {
		p := dialPeer(t, s)
		if p.call(1, emptyCall, message(0, nil)) == okStatus {
			break
		}
		if time.Since(start) > time.Second {
			t.Fatal("no service one second after the exhaustion ended")
		}
	}
	t.Logf("served again after %v; accept errors %d", time.Since(start), s.stats()["accept_errors"])
}

func TestRow02ContinuationFlood(t *testing.T) {
	s := startServer(t)
	underAttack(t, s, func(s *server) {
		before := s.stats()
		for round := 0; round < 20; round++ {
			p := dialPeer(t, s)
			p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.headers(emptyCall)})
			junk := bytes.Repeat([]byte{0, 1, 'a', 1, 'b'}, 3000)
			sent := 0
			for sent < 1<<30 && p.fr.WriteContinuation(1, false, junk) == nil {
				sent += len(junk)
			}
			p.waitClosed(10 * time.Second)
		}
		grew(t, s, before, 4)
	})
	t.Logf("continuation limit struck %d, header limit %d", s.stats()["continuation_limit"], s.stats()["header_limit"])
}

// again repeats an attack for long enough to see what it does to a neighbour.
func again(attack func()) {
	for start := time.Now(); time.Since(start) < time.Second; {
		attack()
	}
}

func TestRow03HugeHpackString(t *testing.T) {
	s := startServer(t)
	before := s.stats()
	underAttack(t, s, func(s *server) {
		again(func() {
			p := dialPeer(t, s)
			// Literal header whose name claims to be 2^30 bytes long.
			block := append([]byte{0x40, 0x7f}, 0x81, 0xff, 0xff, 0xff, 0x03)
			must(t, p.fr.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 1, append(block, "abc"...)))
			code, _ := p.waitClosed(10 * time.Second)
			if code != http2.ErrCodeCompression {
				t.Errorf("closed with %v", code)
			}
			p.conn.Close()
		})
	})
	grew(t, s, before, 4)
}

func TestRow04BadHeaders(t *testing.T) {
	s := startServer(t)
	underAttack(t, s, func(s *server) { again(func() { badHeaders(t, s) }) })
}

func badHeaders(t *testing.T, s *server) {
	p := dialPeer(t, s)
	defer p.conn.Close()
	if got := p.call(1, emptyCall, message(0, nil), "te", "gzip"); got != "PROTOCOL_ERROR" {
		t.Errorf("te: gzip: %s", got)
	}
	if got := p.call(3, emptyCall, message(0, nil), "connection", "close"); got != "PROTOCOL_ERROR" {
		t.Errorf("connection header: %s", got)
	}
	if got := p.call(5, emptyCall, message(0, nil), "x", strings.Repeat("y", 9000)); got != okStatus {
		t.Errorf("9 KB of metadata: %s", got)
	}
	if got := p.call(7, emptyCall, message(0, nil), "a", strings.Repeat("y", 9000), "b", strings.Repeat("z", 9000)); got != exhausted {
		t.Errorf("18 KB of metadata: %s", got)
	}
	if got := p.call(9, emptyCall, message(0, nil), "content-length", "4"); got != "PROTOCOL_ERROR" {
		t.Errorf("more DATA than content-length: %s", got)
	}
	if got := p.call(11, emptyCall, message(0, nil)); got != okStatus {
		t.Errorf("afterwards: %s", got)
	}
}

func TestRow05RapidReset(t *testing.T) {
	s := startServer(t)
	before := s.stats()
	underAttack(t, s, func(s *server) {
		total, rounds := 0, 0
		for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline); rounds++ {
			p := dialPeer(t, s)
			go func() { // Reads, so that the server can say GOAWAY.
				for {
					if _, err := p.fr.ReadFrame(); err != nil {
						return
					}
				}
			}()
			total += rapidReset(p, deadline)
		}
		t.Logf("%d streams reset over %d connections", total, rounds)
	})
	t.Logf("reset limit struck %d", s.stats()["reset_flood"])
	if s.stats()["reset_flood"] == 0 {
		t.Error("nobody stopped the flood")
	}
	grew(t, s, before, 32)
}

// rapidReset opens and resets streams until it is cut off; returns how many.
func rapidReset(p *peer, deadline time.Time) int {
	var batch bytes.Buffer
	fr := http2.NewFramer(&batch, nil)
	n := 0
	for id := uint32(1); id < 1<<30 && time.Now().Before(deadline); {
		batch.Reset()
		for i := 0; i < 100; i++ {
			fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.headers("/raw.Test/Echo"), EndHeaders: true})
			fr.WriteRSTStream(id, http2.ErrCodeCancel)
			id += 2
			n++
		}
		if _, err := p.conn.Write(batch.Bytes()); err != nil {
			return n
		}
	}
	return n
}

func TestRow06ControlFloods(t *testing.T) {
	s := startServer(t)
	floods := map[string]func(fr *http2.Framer){
		"ping":     func(fr *http2.Framer) { fr.WritePing(false, [8]byte{}) },
		"settings": func(fr *http2.Framer) { fr.WriteSettings() },
		"window":   func(fr *http2.Framer) { fr.WriteWindowUpdate(0, 1) },
		"priority": func(fr *http2.Framer) { fr.WritePriority(1, http2.PriorityParam{StreamDep: 3}) },
	}
	for name, flood := range floods {
		t.Run(name, func(t *testing.T) {
			before := s.stats()
			underAttack(t, s, func(s *server) { again(func() { controlFlood(t, s, flood) }) })
			grew(t, s, before, 8)
		})
	}
	t.Logf("control limit struck %d times", s.stats()["control_flood"])
	if got := dialPeer(t, s).call(1, emptyCall, message(0, nil)); got != okStatus {
		t.Errorf("afterwards: %s", got)
	}
}

func controlFlood(t *testing.T, s *server, flood func(fr *http2.Framer)) {
	p := dialPeer(t, s)
	defer p.conn.Close()
	var batch bytes.Buffer
	fr := http2.NewFramer(&batch, nil)
	for i := 0; i < 1000; i++ {
		flood(fr)
	}
	for i := 0; i < 1000; i++ {
		if _, err := p.conn.Write(batch.Bytes()); err != nil {
			break
		}
	}
	p.waitClosed(10 * time.Second)
}

func TestRow07Slow(t *testing.T) {
	s := startServer(t, "--stall-timeout-ms=2000")
	n := newNeighbour(t, s)
	t.Logf("neighbour quiet:     %v", n.measure(500*time.Millisecond))
	t.Logf("neighbour during:    %v", n.measureDuring(func() { slow(t, s) }))
}

func slow(t *testing.T, s *server) {
	t.Run("preface", func(t *testing.T) {
		c, err := net.Dial("tcp", s.addr())
		must(t, err)
		defer c.Close()
		start := time.Now()
		for i := 0; i < 24; i++ {
			if _, err := c.Write([]byte(http2.ClientPreface[i : i+1])); err != nil {
				break
			}
			time.Sleep(500 * time.Millisecond)
		}
		t.Logf("closed after %v", time.Since(start))
		if time.Since(start) > 8*time.Second {
			t.Error("too late")
		}
	})
	t.Run("headers", func(t *testing.T) {
		p := dialPeer(t, s)
		p.conn.Write([]byte{0, 0, 100, 1, 4, 0, 0, 0, 1})
		go func() {
			for {
				if _, err := p.conn.Write([]byte{0}); err != nil {
					return
				}
				time.Sleep(500 * time.Millisecond)
			}
		}()
		_, took := p.waitClosed(10 * time.Second)
		t.Logf("closed after %v", took)
	})
	t.Run("body", func(t *testing.T) {
		p := dialPeer(t, s)
		must(t, p.open(1, "/raw.Test/Echo"))
		must(t, p.fr.WriteData(1, false, message(0, make([]byte, 1000))[:10]))
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(200 * time.Millisecond):
					p.conn.Write([]byte{0, 0, 1, 0, 0, 0, 0, 0, 1, 0})
				}
			}
		}()
		start := time.Now()
		if got := p.status(1); got != "4" {
			t.Errorf("status %s", got)
		}
		t.Logf("cut after %v", time.Since(start))
	})
}

func TestRow08HugePrefix(t *testing.T) {
	s := startServer(t)
	before := s.stats()
	underAttack(t, s, func(s *server) {
		again(func() {
			p := dialPeer(t, s)
			defer p.conn.Close()
			if got := p.call(1, "/raw.Test/Echo", append([]byte{0, 0xff, 0xff, 0xff, 0xff}, make([]byte, 10)...)); got != exhausted {
				t.Errorf("status %s", got)
			}
		})
	})
	grew(t, s, before, 4)
}

func TestRow09GzipBomb(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	zeros := make([]byte, 1<<20)
	for i := 0; i < 1024; i++ {
		z.Write(zeros)
	}
	z.Close()
	s := startServer(t)
	underAttack(t, s, func(s *server) {
		for i := 0; i < 5; i++ {
			p := dialPeer(t, s)
			if got := p.call(1, "/raw.Test/Echo", message(1, bomb.Bytes()), "grpc-encoding", "gzip"); got != exhausted {
				t.Errorf("status %s", got)
			}
		}
	})
	if peak := s.stats()["peak_kib"]; peak > 64<<10 {
		t.Errorf("memory rose to %s", mib(peak))
	}
}

// A large message that compresses well is no attack, and its neighbours do not wait for all of it.
func TestLargeCompressedMessage(t *testing.T) {
	plain := make([]byte, 48<<20)
	for i := range plain {
		plain[i] = byte(i * i >> 9 & 15)
	}
	var compressed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&compressed, gzip.BestSpeed)
	z.Write(plain)
	z.Close()
	t.Logf("%d bytes as %d", len(plain), compressed.Len())
	s := startServer(t)
	underAttack(t, s, func(s *server) {
		again(func() {
			p := dialPeer(t, s)
			defer p.conn.Close()
			must(t, p.open(1, "/raw.Test/Length", "grpc-encoding", "gzip"))
			window := newWindow(p)
			for rest := message(1, compressed.Bytes()); len(rest) > 0; {
				n := min(len(rest), 16384)
				if !window.take(n) || p.fr.WriteData(1, n == len(rest), rest[:n]) != nil {
					t.Fatal("cut off")
				}
				rest = rest[n:]
			}
			if got := <-window.status; got != okStatus {
				t.Errorf("status %s", got)
			}
		})
	})
	if got := s.stats()["unfinished_bytes"]; got != 0 {
		t.Errorf("%d bytes are still held", got)
	}
}

func TestRow10UnknownCompression(t *testing.T) {
	s := startServer(t)
	underAttack(t, s, func(s *server) { again(func() { unknownCompression(t, s) }) })
}

func unknownCompression(t *testing.T, s *server) {
	p := dialPeer(t, s)
	defer p.conn.Close()
	if got := p.call(1, emptyCall, message(1, []byte("x")), "grpc-encoding", "snappy"); got != unimplemented {
		t.Errorf("snappy: %s", got)
	}
	if got := p.call(3, emptyCall, message(1, []byte("x"))); got == okStatus {
		t.Error("compressed without an encoding was served")
	}
	if got := p.call(5, emptyCall, message(7, []byte("x"))); got == okStatus {
		t.Error("a bad flag was served")
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Close()
	if got := p.call(7, emptyCall, message(1, z.Bytes()), "grpc-encoding", "gzip"); got != okStatus {
		t.Errorf("gzip: %s", got)
	}
}

func TestRow11to14BadMessages(t *testing.T) {
	s := startServer(t)
	underAttack(t, s, func(s *server) { again(func() { badMessages(t, s) }) })
}

func badMessages(t *testing.T, s *server) {
	p := dialPeer(t, s)
	defer p.conn.Close()
	id := uint32(1)
	call := func(path string, body []byte) string {
		got := p.call(id, path, message(0, body))
		id += 2
		return got
	}
	random := rand.New(rand.NewSource(1))
	bad := 0
	for i := 0; i < 200; i++ {
		body := make([]byte, 1+random.Intn(200))
		random.Read(body)
		switch got := call(emptyCall, body); got {
		case invalid:
			bad++
		case okStatus: // Some random bytes are a message of unknown fields.
		default:
			t.Fatalf("random bytes: %s", got)
		}
	}
	if bad < 100 {
		t.Errorf("%d of 200 random messages did not parse", bad)
	}
	cases := map[string][]byte{
		"truncated varint": {0x10, 0xff},
		"wrong wire type":  {0x1b, 0x01},
		"nested groups":    bytes.Repeat([]byte{0x7b}, 100_000),
		"length past end":  {0x1a, 0xff, 0xff, 0xff, 0xff, 0x07, 'x'},
		"invalid UTF-8":    {0x3a, 0x04, 0x12, 0x02, 0xff, 0xfe},
	}
	for name, body := range cases {
		if got := call(unaryCall, body); got != invalid {
			t.Errorf("%s: %s", name, got)
		}
	}
	for _, path := range []string{"/grpc.testing.TestService/Nothing", "/no.Service/Call", "/", "", "*"} {
		if got := call(path, nil); got != unimplemented && got != "PROTOCOL_ERROR" {
			t.Errorf("%q: %s", path, got)
		}
	}
	if got := call(emptyCall, nil); got != okStatus {
		t.Errorf("afterwards: %s", got)
	}
}

func TestRow15ReaderThatNeverReads(t *testing.T) {
	s := startServer(t, "--stall-timeout-ms=3000")
	before := s.stats()
	underAttack(t, s, func(s *server) {
		var wg sync.WaitGroup
		for c := 0; c < 4; c++ {
			p := dialPeer(t, s)
			for i := 0; i < 250; i++ {
				id := uint32(2*i + 1)
				must(t, p.open(id, "/raw.Test/Blob"))
				must(t, p.fr.WriteData(id, true, message(0, []byte(strconv.Itoa(1<<20)))))
			}
			wg.Add(1)
			go func() {
				defer wg.Done()
				time.Sleep(4500 * time.Millisecond)
				_, took := p.waitClosed(10 * time.Second)
				t.Logf("closed %v after it began to read again", took)
			}()
		}
		s.waitStat("parked", 1, 5*time.Second)
		wg.Wait()
	})
	t.Logf("parked requests %d, stall time-outs %d", s.stats()["parked"], s.stats()["stall_timeouts"])
	grew(t, s, before, 128)
}

func TestUnfinishedMessages(t *testing.T) {
	s := startServer(t)
	before := s.stats()
	underAttack(t, s, func(s *server) {
		p := dialPeer(t, s)
		window := newWindow(p)
		prefix := []byte{0, 0, 0xf0, 0, 0} // 15 MiB.
		for i := 0; i < 200; i++ {
			must(t, p.open(uint32(2*i+1), "/raw.Test/Echo"))
			must(t, p.fr.WriteData(uint32(2*i+1), false, prefix))
		}
		piece := make([]byte, 16384)
		for n := 0; n < 60; n++ { // Within half of each stream's window.
			for i := 0; i < 200; i++ {
				if window.take(len(piece)) {
					p.fr.WriteData(uint32(2*i+1), false, piece)
				}
			}
		}
		t.Logf("held %d MiB", s.stats()["unfinished_bytes"]>>20)
	})
	grew(t, s, before, 400)
}

// window follows the connection's flow control, which a sender has to keep to.
type window struct {
	mu     sync.Mutex
	cond   *sync.Cond
	left   int
	gone   bool
	status chan string // Of each call that ends.
}

func newWindow(p *peer) *window {
	w := &window{left: 65535 - 200*5, status: make(chan string, 1024)}
	w.cond = sync.NewCond(&w.mu)
	go func() {
		for {
			frame, err := p.fr.ReadFrame()
			w.mu.Lock()
			if f, ok := frame.(*http2.WindowUpdateFrame); ok && f.StreamID == 0 {
				w.left += int(f.Increment)
			}
			if f, ok := frame.(*http2.MetaHeadersFrame); ok && f.StreamEnded() {
				w.status <- grpcStatus(f)
			}
			w.gone = err != nil
			w.cond.Broadcast()
			w.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return w
}

func (w *window) take(n int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.left < n && !w.gone {
		w.cond.Wait()
	}
	w.left -= n
	return !w.gone
}

func raiseFileLimit(t *testing.T, n uint64) {
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	limit.Cur = limit.Max
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	if limit.Max < n {
		t.Skipf("only %d files", limit.Max)
	}
}
