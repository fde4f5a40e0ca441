package process

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"e2e/process/cluster"

	"github.com/pingcap/kvproto/pkg/pdpb"
	"github.com/tikv/client-go/v2/rawkv"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// A port that anybody can reach, and a call that is served there.
type port struct {
	name, addr, method string
}

const variantsPerPort = 300

// TestGarbage sends seeded garbage to every port of a store and of PD.  The processes must stay, serve
// and give their memory back.
func TestGarbage(t *testing.T) {
	c := start(t, 1, 1)
	client := rawClient(t, c)
	if *seed == 0 {
		*seed = time.Now().UnixNano()
	}
	t.Logf("-seed=%d", *seed)
	store, pd := c.Stores[0], c.PDs[0]
	ports := []port{
		{"store gRPC", store.Addrs[0], "/tikvpb.Tikv/RawPut"},
		{"store raft", store.Addrs[0], "/tikvpb.Tikv/BatchRaft"},
		{"store status", store.Addrs[1], "/tikvpb.Tikv/RawPut"},
		{"PD clients", pd.Addrs[0], "/pdpb.PD/GetRegion"},
		{"PD peers", pd.Addrs[1], "/tikvpb.Tikv/BatchRaft"},
		{"PD etcd", pd.Addrs[0], "/etcdserverpb.KV/Txn"},
	}
	pids := []int{store.Pid(), pd.Pid()}
	before := []int{residentMiB(t, pids[0]), residentMiB(t, pids[1])}
	for _, p := range ports {
		t.Run(p.name, func(t *testing.T) {
			pelt(t, p, *seed)
			for _, server := range []*cluster.Process{store, pd} {
				if !server.Running() {
					t.Fatalf("%s ended: %s", server.Name, server.Tail())
				}
			}
			mustServe(t, client, p.name)
		})
	}
	t.Run("PD, a million regions in one question", func(t *testing.T) { askTooMuch(t, pd.Addrs[0]) })
	for i, pid := range pids {
		if after := residentMiB(t, pid); after > before[i]+64 {
			t.Errorf("process %d grew from %d to %d MiB", pid, before[i], after)
		}
	}
}

// An id of two bytes would cost hundreds in the answer: PD says what is too much, and for the rest goes on.
func askTooMuch(t *testing.T, pdAddr string) {
	conn, err := grpc.NewClient(pdAddr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	client := pdpb.NewPDClient(conn)
	members, err := client.GetMembers(ctx, &pdpb.GetMembersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	header := &pdpb.RequestHeader{ClusterId: members.Header.ClusterId}
	for _, n := range []int{1_000, 1_000_000} {
		stream, err := client.QueryRegion(ctx)
		if err == nil {
			err = stream.Send(&pdpb.QueryRegionRequest{Header: header, Ids: make([]uint64, n)})
		}
		if err != nil {
			t.Fatal(err)
		}
		want := codes.OK
		if n > 100_000 {
			want = codes.InvalidArgument
		}
		if _, err = stream.Recv(); status.Code(err) != want {
			t.Errorf("%d regions: %v, want %v", n, err, want)
		}
	}
}

func rawClient(t *testing.T, c *cluster.Cluster) *rawkv.Client {
	t.Helper()
	client, err := rawkv.NewClientWithOpts(context.Background(), strings.Split(c.PDAddrs(), ","))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func mustServe(t *testing.T, client *rawkv.Client, key string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := client.Put(ctx, []byte(key), []byte("served")); err != nil {
		t.Fatal(err)
	}
	if got, err := client.Get(ctx, []byte(key)); err != nil || string(got) != "served" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func residentMiB(t *testing.T, pid int) int {
	t.Helper()
	var pages, resident int
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Sscan(string(b), &pages, &resident)
	return resident * os.Getpagesize() >> 20
}

// pelt sends all variants from a few connections at a time.
func pelt(t *testing.T, p port, seed int64) {
	t.Helper()
	var all sync.WaitGroup
	slots := make(chan struct{}, 8)
	for n := range variantsPerPort {
		all.Add(1)
		slots <- struct{}{}
		go func() {
			defer func() { <-slots; all.Done() }()
			random := rand.New(rand.NewSource(seed + int64(n)))
			conn, err := net.DialTimeout("tcp", p.addr, 5*time.Second)
			if err != nil {
				t.Errorf("variant %d of seed %d: %v", n, seed, err)
				return
			}
			defer conn.Close()
			_, _ = conn.Write(garbage(random, n, p.method))
			_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			_, _ = io.Copy(io.Discard, conn)
		}()
	}
	all.Wait()
}

// garbage is variant n: pure noise, noise behind a valid opening, or a valid session with faults.
func garbage(random *rand.Rand, n int, method string) []byte {
	switch n % 6 {
	case 0:
		return noise(random, 4096)
	case 1:
		return append([]byte(http2.ClientPreface), noise(random, 4096)...)
	case 2:
		return randomFrames(random)
	case 3:
		return damage(random, grpcSession(random, method, noise(random, 512)))
	case 4: // A whole session; only the message is noise.
		return grpcSession(random, method, noise(random, 4096))
	default:
		return damage(random, []byte("POST /config?persist=true HTTP/1.1\r\nHost: x\r\nContent-Type: "+
			"application/json\r\nContent-Length: 24\r\nTransfer-Encoding: chunked\r\n\r\n{\"log.level\":\"warn\"}\r\n\r\n"))
	}
}

func noise(random *rand.Rand, most int) []byte {
	b := make([]byte, 1+random.Intn(most))
	random.Read(b)
	return b
}

// damage flips, drops or doubles a few places.
func damage(random *rand.Rand, b []byte) []byte {
	for range 1 + random.Intn(8) {
		at := random.Intn(len(b))
		switch random.Intn(3) {
		case 0:
			b[at] ^= byte(1 << random.Intn(8))
		case 1:
			b = append(b[:at:at], b[min(len(b), at+1+random.Intn(16)):]...)
		case 2:
			b = append(b[:at:at], append(b[at:min(len(b), at+16):min(len(b), at+16)], b[at:]...)...)
		}
		if len(b) == 0 {
			return []byte{0}
		}
	}
	return b
}

// randomFrames are well-formed frames of any type, flags, stream and content.
func randomFrames(random *rand.Rand) []byte {
	var out bytes.Buffer
	out.WriteString(http2.ClientPreface)
	framer := http2.NewFramer(&out, nil)
	framer.AllowIllegalWrites = true
	if random.Intn(2) == 0 {
		_ = framer.WriteSettings()
	}
	for range 1 + random.Intn(20) {
		_ = framer.WriteRawFrame(http2.FrameType(random.Intn(12)), http2.Flags(random.Intn(256)),
			uint32(random.Intn(8)), noise(random, 64))
	}
	return out.Bytes()
}

// grpcSession is one call with this message, its length now and then a lie.
func grpcSession(random *rand.Rand, method string, message []byte) []byte {
	var out, block bytes.Buffer
	out.WriteString(http2.ClientPreface)
	framer := http2.NewFramer(&out, nil)
	_ = framer.WriteSettings()
	encoder := hpack.NewEncoder(&block)
	for _, field := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", method},
		{":authority", "x"}, {"te", "trailers"}, {"content-type", "application/grpc"}} {
		_ = encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true})
	size := len(message)
	if random.Intn(4) == 0 {
		size = random.Int()
	}
	head := []byte{byte(random.Intn(8) / 7), byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)}
	_ = framer.WriteData(1, random.Intn(2) == 0, append(head, message...))
	return out.Bytes()
}
