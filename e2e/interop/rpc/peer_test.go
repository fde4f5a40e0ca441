package rpcinterop

import (
	"bytes"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"net"
	"runtime"
	"sort"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

var control = flag.Bool("control", false, "measure the neighbour under attacks on another server, too")

// peer is an HTTP/2 client without manners: it sends whatever a test tells it to.
type peer struct {
	t     *testing.T
	conn  net.Conn
	fr    *http2.Framer
	block bytes.Buffer
	enc   *hpack.Encoder
}

func dialPeer(t *testing.T, s *server) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr())
	must(t, err)
	p := &peer{t: t, conn: conn, fr: http2.NewFramer(conn, conn)}
	p.fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	p.enc = hpack.NewEncoder(&p.block)
	t.Cleanup(func() { conn.Close() })
	_, err = conn.Write([]byte(http2.ClientPreface))
	must(t, err)
	must(t, p.fr.WriteSettings())
	// The server's windows hold once its settings are acknowledged.
	for {
		frame, err := p.fr.ReadFrame()
		must(t, err)
		if f, ok := frame.(*http2.SettingsFrame); ok && !f.IsAck() {
			break
		}
	}
	must(t, p.fr.WriteSettingsAck())
	return p
}

// headers encodes a request for path with further fields.
func (p *peer) headers(path string, more ...string) []byte {
	p.block.Reset()
	fields := append([]string{":method", "POST", ":scheme", "http", ":path", path, ":authority", "x",
		"content-type", "application/grpc", "te", "trailers"}, more...)
	for i := 0; i < len(fields); i += 2 {
		p.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return p.block.Bytes()
}

func (p *peer) open(id uint32, path string, more ...string) error {
	return p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.headers(path, more...),
		EndHeaders: true})
}

func message(flag byte, body []byte) []byte {
	out := append([]byte{flag}, binary.BigEndian.AppendUint32(nil, uint32(len(body)))...)
	return append(out, body...)
}

// call sends one unary request and returns the grpc-status of the answer.
func (p *peer) call(id uint32, path string, framed []byte, more ...string) string {
	p.t.Helper()
	must(p.t, p.open(id, path, more...))
	for len(framed) > 16384 {
		must(p.t, p.fr.WriteData(id, false, framed[:16384]))
		framed = framed[16384:]
	}
	must(p.t, p.fr.WriteData(id, true, framed))
	return p.status(id)
}

// status reads until the stream's trailers came.
func (p *peer) status(id uint32) string {
	p.t.Helper()
	p.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	for {
		frame, err := p.fr.ReadFrame()
		if err != nil {
			return err.Error()
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			if f.StreamID == id && f.StreamEnded() {
				return grpcStatus(f)
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == id {
				return f.ErrCode.String()
			}
		case *http2.GoAwayFrame:
			return "GOAWAY " + f.ErrCode.String()
		}
	}
}

func grpcStatus(f *http2.MetaHeadersFrame) string {
	for _, field := range f.Fields {
		if field.Name == "grpc-status" {
			return field.Value
		}
	}
	return "no status"
}

// waitClosed reads until the server closes; returns the GOAWAY code seen, if any.
func (p *peer) waitClosed(timeout time.Duration) (http2.ErrCode, time.Duration) {
	p.t.Helper()
	start := time.Now()
	p.conn.SetReadDeadline(start.Add(timeout))
	code := http2.ErrCode(0)
	for {
		frame, err := p.fr.ReadFrame()
		if e, ok := err.(net.Error); ok && e.Timeout() {
			p.t.Fatalf("not closed within %v", timeout)
		}
		if err != nil {
			return code, time.Since(start)
		}
		if f, ok := frame.(*http2.GoAwayFrame); ok {
			code = f.ErrCode
		}
	}
}

// rawCodec passes bytes through.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (rawCodec) Unmarshal(b []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), b...)
	return nil
}
func (rawCodec) Name() string { return "proto" }

// neighbour is an honest client whose latency an attack must not ruin.
type neighbour struct {
	t    *testing.T
	conn *grpc.ClientConn
}

func newNeighbour(t *testing.T, s *server, more ...grpc.DialOption) *neighbour {
	options := append(more, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{})))
	conn, err := grpc.NewClient(s.addr(), options...)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	n := &neighbour{t: t, conn: conn}
	n.measure(200 * time.Millisecond) // Connects and warms up.
	return n
}

func (n *neighbour) echo() error {
	request, reply := make([]byte, 64), []byte(nil)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return n.conn.Invoke(ctx, "/raw.Test/Echo", &request, &reply)
}

type latency struct {
	p50, p99, max time.Duration
	n, failed     int
}

func (l latency) String() string {
	return fmt.Sprintf("p50 %v p99 %v max %v (%d calls, %d failed)", l.p50.Round(time.Microsecond),
		l.p99.Round(time.Microsecond), l.max.Round(time.Microsecond), l.n, l.failed)
}

func (n *neighbour) measureUntil(stop <-chan struct{}) latency {
	var l latency
	var all []time.Duration
	for {
		select {
		case <-stop:
			sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
			if len(all) > 0 {
				l.p50, l.p99, l.max = all[len(all)/2], all[len(all)*99/100], all[len(all)-1]
			}
			return l
		default:
		}
		start := time.Now()
		if err := n.echo(); err != nil {
			l.failed++
		}
		all = append(all, time.Since(start))
		l.n++
		time.Sleep(time.Millisecond)
	}
}

func (n *neighbour) measureDuring(attack func()) latency {
	stop, result := make(chan struct{}), make(chan latency)
	go func() { result <- n.measureUntil(stop) }()
	attack()
	close(stop)
	return <-result
}

func (n *neighbour) measure(d time.Duration) latency {
	stop := make(chan struct{})
	time.AfterFunc(d, func() { close(stop) })
	return n.measureUntil(stop)
}

// underAttack runs attack and reports memory and the neighbour's latency: before, while the same
// attack goes against another server of this machine (what its CPU time alone costs), and during it.
func underAttack(t *testing.T, s *server, attack func(s *server)) {
	t.Helper()
	// Enough for the neighbour to be scheduled beside the attacker by the kernel, not by Go.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(16))
	n := newNeighbour(t, s)
	quiet := n.measure(500 * time.Millisecond)
	var elsewhere latency
	if *control {
		other := startServer(t, s.args...)
		elsewhere = n.measureDuring(func() { attack(other) })
	}
	before := s.stats()
	during := n.measureDuring(func() { attack(s) })
	after := s.stats()
	t.Logf("memory: before %s, peak %s, after %s", mib(before["rss_kib"]), mib(after["peak_kib"]), mib(after["rss_kib"]))
	t.Logf("neighbour quiet:     %v", quiet)
	if *control {
		t.Logf("neighbour elsewhere: %v", elsewhere)
	}
	t.Logf("neighbour during:    %v", during)
	if during.failed > 0 {
		t.Errorf("%d calls of the neighbour failed", during.failed)
	}
}

// grew asserts that the peak of memory rose by no more than the given MiB since `before`.
func grew(t *testing.T, s *server, before map[string]int64, maxMiB int64) {
	t.Helper()
	if grown := s.stats()["peak_kib"] - before["peak_kib"]; grown > maxMiB*1024 {
		t.Errorf("memory grew by %s, at most %d MiB allowed", mib(grown), maxMiB)
	}
}
