package process

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"e2e/process/cluster"

	"github.com/tikv/client-go/v2/config"
	"github.com/tikv/client-go/v2/rawkv"
	"github.com/tikv/pd/client/opt"
)

// TestTLS runs a cluster that speaks TLS only, on every port and between its members: an unmodified
// client with a certificate is served, also over a restart; without one, or with a foreign or
// unlisted name, nobody is.
func TestTLS(t *testing.T) {
	path, err := filepath.Abs(*bin)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certificates, err := cluster.NewTLS(dir, "tikv")
	if err != nil {
		t.Fatal(err)
	}
	certificates.AllowedCN = "tikv"
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c, err := cluster.Start(ctx, cluster.Options{Bin: path, Dir: filepath.Join(dir, "cluster"), PDs: 1, Stores: 3, TLS: certificates})
	defer c.Kill()
	if err != nil {
		for _, log := range []string{"pd-1/pd.log", "store-1/tikv.log", "store-1/stdout.log"} {
			text, _ := os.ReadFile(filepath.Join(dir, "cluster", log))
			t.Logf("%s:\n%s", log, text[max(0, len(text)-3000):])
		}
		t.Fatal(err)
	}
	client, err := rawkv.NewClientWithOpts(ctx, strings.Split(c.PDAddrs(), ","),
		rawkv.WithSecurity(config.NewSecurity(certificates.CA, certificates.Cert, certificates.Key, nil)),
		rawkv.WithPDOptions(opt.WithMaxErrorRetry(10)))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Put(ctx, []byte("k"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	leader := busiest(t, c)
	if err := leader.Stop(20 * time.Second); err != nil {
		t.Error(err)
	}
	if got, err := client.Get(ctx, []byte("k")); err != nil || string(got) != "v" {
		t.Fatalf("after a store has gone: %q, %v", got, err)
	}
	if err := leader.Start(); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	statusPort(t, c, certificates)
	ourTools(t, c, certificates)
}

// ourTools: tikv-ctl, and with it the C++ driver.
func ourTools(t *testing.T, c *cluster.Cluster, certificates *cluster.TLS) {
	with := []string{"--pd", c.PDAddrs(), "--cacert", certificates.CA, "--cert", certificates.Cert, "--key", certificates.Key}
	for _, try := range []struct {
		flags []string
		args  string
		code  int
		want  string
	}{
		{with, "raw put ctl tls", 0, "ok"},
		{with, "raw get ctl", 0, "tls"},
		{with, "raw cas ctl swapped --expect tls", 0, "swapped"},
		{with, "cluster", 0, "pd-1  leader  healthy"},
		{with[:2], "raw get ctl", 1, "no PD at"},
		{with[:4], "raw get ctl", 1, "no PD at"},
		{with[:2], "cluster", 1, "no PD member answers"},
	} {
		out, code := asked(t, append(strings.Fields(try.args), try.flags...)...)
		if code != try.code || !strings.Contains(out, try.want) {
			t.Errorf("%s with %d flags: want code %d and %q, got %d and\n%s", try.args, len(try.flags), try.code, try.want, code, out)
		}
	}
}

func statusPort(t *testing.T, c *cluster.Cluster, certificates *cluster.TLS) {
	address := c.Stores[1].Addrs[1]
	strangerCert, strangerKey, err := certificates.Sign("stranger")
	if err != nil {
		t.Fatal(err)
	}
	get := func(url string, transport *http.Transport) int {
		client := http.Client{Transport: transport, Timeout: 5 * time.Second}
		reply, err := client.Get(url)
		if err != nil {
			return 0
		}
		reply.Body.Close()
		return reply.StatusCode
	}
	stranger := cluster.TransportWith(certificates.CA, strangerCert, strangerKey)
	for _, try := range []struct {
		what, url string
		transport *http.Transport
		want      int
	}{
		{"plain text", "http://" + address + "/status", &http.Transport{}, 0},
		{"no certificate", "https://" + address + "/status", cluster.TransportWith(certificates.CA, "", ""), 0},
		{"an unlisted name, monitoring", "https://" + address + "/metrics", stranger, 200},
		{"an unlisted name, the rest", "https://" + address + "/region/2", stranger, 403},
		{"a listed name", "https://" + address + "/debug/pprof/cmdline", certificates.Transport(), 200},
	} {
		if got := get(try.url, try.transport); got != try.want {
			t.Errorf("%s: status %d, not %d", try.what, got, try.want)
		}
	}
}
