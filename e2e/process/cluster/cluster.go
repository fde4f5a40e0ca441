// Package cluster runs real pd-server and tikv-server processes on free loopback ports, in a
// folder of their own, and lets tests kill, stop and restart them.
//
// A server dies with the process that started it, so an aborted test leaves nothing behind.
package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Options describe the cluster to start.
type Options struct {
	Bin    string // folder of pd-server and tikv-server
	Dir    string // data and logs; created
	PDs    int
	Stores int
	// StoreConfig and PDConfig are TOML texts for every store and member; "" for none.
	StoreConfig, PDConfig string
	// TLS on every port and connection; nil: plain text.
	TLS *TLS
}

// Cluster is a running set of servers.
type Cluster struct {
	Opts   Options
	PDs    []*Process
	Stores []*Process
}

// Start launches the servers and waits until every store is Up and the first region has a leader
// on as many replicas as there are stores (at most three).
func Start(ctx context.Context, o Options) (*Cluster, error) {
	c := &Cluster{Opts: o}
	if err := c.startPDs(ctx); err != nil {
		return c, err
	}
	for i := range o.Stores {
		if _, err := c.AddStore(i + 1); err != nil {
			return c, err
		}
	}
	return c, c.WaitReady(ctx)
}

func (c *Cluster) scheme() string {
	if c.Opts.TLS != nil {
		return "https://"
	}
	return "http://"
}

func (c *Cluster) startPDs(ctx context.Context) error {
	var initial []string
	scheme := c.scheme()
	for i := range c.Opts.PDs {
		p := &Process{Name: fmt.Sprintf("pd-%d", i+1), bin: filepath.Join(c.Opts.Bin, "pd-server"),
			dir: filepath.Join(c.Opts.Dir, fmt.Sprintf("pd-%d", i+1))}
		if err := p.reserve(2); err != nil {
			return err
		}
		initial = append(initial, p.Name+"="+scheme+p.Addrs[1])
		c.PDs = append(c.PDs, p)
	}
	for _, p := range c.PDs {
		p.args = []string{"--name=" + p.Name, "--data-dir=" + filepath.Join(p.dir, "data"),
			"--client-urls=" + scheme + p.Addrs[0], "--advertise-client-urls=" + scheme + p.Addrs[0],
			"--peer-urls=" + scheme + p.Addrs[1], "--advertise-peer-urls=" + scheme + p.Addrs[1],
			"--initial-cluster=" + strings.Join(initial, ","),
			"--log-file=" + filepath.Join(p.dir, "pd.log")}
		if tls := c.Opts.TLS; tls != nil {
			p.args = append(p.args, "--cacert="+tls.CA, "--cert="+tls.Cert, "--key="+tls.Key)
		}
		if err := p.configure(c.Opts.PDConfig); err != nil {
			return err
		}
		if err := p.Start(); err != nil {
			return err
		}
	}
	return poll(ctx, "a PD leader", func() error {
		_, err := c.get("/pd/api/v1/leader", nil)
		return err
	})
}

// AddStore launches store number n (from 1).
func (c *Cluster) AddStore(n int) (*Process, error) {
	p := &Process{Name: fmt.Sprintf("store-%d", n), bin: filepath.Join(c.Opts.Bin, "tikv-server"),
		dir: filepath.Join(c.Opts.Dir, fmt.Sprintf("store-%d", n))}
	if err := p.reserve(2); err != nil {
		return nil, err
	}
	p.args = []string{"--addr=" + p.Addrs[0], "--advertise-addr=" + p.Addrs[0],
		"--status-addr=" + p.Addrs[1], "--advertise-status-addr=" + p.Addrs[1],
		"--data-dir=" + filepath.Join(p.dir, "data"), "--pd=" + c.PDAddrs(),
		"--log-file=" + filepath.Join(p.dir, "tikv.log")}
	config := c.Opts.StoreConfig
	if tls := c.Opts.TLS; tls != nil {
		config += fmt.Sprintf("\n[security]\nca-path = %q\ncert-path = %q\nkey-path = %q\n", tls.CA, tls.Cert, tls.Key)
		if tls.AllowedCN != "" {
			config += fmt.Sprintf("cert-allowed-cn = [%q]\n", tls.AllowedCN)
		}
	}
	if err := p.configure(config); err != nil {
		return nil, err
	}
	c.Stores = append(c.Stores, p)
	return p, p.Start()
}

// PDAddrs are the members' client addresses, comma separated.
func (c *Cluster) PDAddrs() string {
	var addrs []string
	for _, p := range c.PDs {
		addrs = append(addrs, p.Addrs[0])
	}
	return strings.Join(addrs, ",")
}

// WaitReady waits until every store is Up and the first region is fully replicated.
func (c *Cluster) WaitReady(ctx context.Context) error {
	if len(c.Stores) == 0 {
		return nil
	}
	replicas := min(len(c.Stores), 3)
	return poll(ctx, "all stores up and the first region replicated", func() error {
		stores, err := c.StoreStates()
		if err != nil {
			return err
		}
		for _, p := range c.Stores {
			if p.Running() && stores[p.Addrs[0]].State != "Up" {
				return fmt.Errorf("%s is %q", p.Name, stores[p.Addrs[0]].State)
			}
		}
		return c.replicated(replicas)
	})
}

func (c *Cluster) replicated(replicas int) error {
	var region struct {
		Leader struct {
			StoreID uint64 `json:"store_id"`
		}
		Peers []struct {
			RoleName string `json:"role_name"`
		}
		PendingPeers []any `json:"pending_peers"`
	}
	if _, err := c.get("/pd/api/v1/region/key/x", &region); err != nil {
		return err
	}
	voters := 0
	for _, p := range region.Peers {
		if p.RoleName == "Voter" {
			voters++
		}
	}
	if voters < replicas || region.Leader.StoreID == 0 || len(region.PendingPeers) > 0 {
		return fmt.Errorf("%d voters of %d, leader on store %d, %d pending", voters, replicas,
			region.Leader.StoreID, len(region.PendingPeers))
	}
	return nil
}

// StoreState is what PD says of one store.
type StoreState struct {
	ID      uint64
	State   string
	Leaders int
	Regions int
}

// StoreStates asks PD for all stores, by address.
func (c *Cluster) StoreStates() (map[string]StoreState, error) {
	var reply struct {
		Stores []struct {
			Store struct {
				ID        uint64
				Address   string
				StateName string `json:"state_name"`
			}
			Status struct {
				LeaderCount int `json:"leader_count"`
				RegionCount int `json:"region_count"`
			}
		}
	}
	if _, err := c.get("/pd/api/v1/stores", &reply); err != nil {
		return nil, err
	}
	out := map[string]StoreState{}
	for _, s := range reply.Stores {
		out[s.Store.Address] = StoreState{s.Store.ID, s.Store.StateName, s.Status.LeaderCount, s.Status.RegionCount}
	}
	return out, nil
}

// get asks the first member that answers.
func (c *Cluster) get(path string, into any) (string, error) {
	var last error = errors.New("no PD member runs")
	for _, p := range c.PDs {
		if !p.Running() {
			continue
		}
		client := http.Client{Timeout: 5 * time.Second}
		if c.Opts.TLS != nil {
			client.Transport = c.Opts.TLS.Transport()
		}
		reply, err := client.Get(c.scheme() + p.Addrs[0] + path)
		if err != nil {
			last = err
			continue
		}
		body, _ := io.ReadAll(reply.Body)
		reply.Body.Close()
		if reply.StatusCode != http.StatusOK {
			last = fmt.Errorf("%s: %s: %s", path, reply.Status, body)
			continue
		}
		if into == nil {
			return string(body), nil
		}
		return string(body), json.Unmarshal(body, into)
	}
	return "", last
}

// Split asks PD to split the region that holds key there, and waits until it knows the two parts.
func (c *Cluster) Split(ctx context.Context, key string) error {
	type region struct {
		ID       uint64
		StartKey string `json:"start_key"`
	}
	var now region
	if _, err := c.get("/pd/api/v1/region/key/"+url.PathEscape(key), &now); err != nil {
		return err
	}
	if err := c.operate(fmt.Sprintf(`{"name":"split-region","region_id":%d,"policy":"usekey","keys":["%x"]}`, now.ID, key)); err != nil {
		return err
	}
	return poll(ctx, "the split at "+key, func() error {
		if _, err := c.get("/pd/api/v1/region/key/"+url.PathEscape(key), &now); err != nil {
			return err
		}
		if want := fmt.Sprintf("%X", key); now.StartKey != want {
			return fmt.Errorf("its region starts at %q, not %q", now.StartKey, want)
		}
		return nil
	})
}

// TransferLeader makes the store lead the region that holds key, and waits until PD knows it.
func (c *Cluster) TransferLeader(ctx context.Context, key string, to *Process) error {
	var region struct {
		ID     uint64
		Leader struct {
			StoreID uint64 `json:"store_id"`
		}
	}
	return poll(ctx, "the leader of "+key+" on "+to.Name, func() error {
		stores, err := c.StoreStates()
		if err != nil {
			return err
		}
		if _, err := c.get("/pd/api/v1/region/key/"+url.PathEscape(key), &region); err != nil {
			return err
		}
		if store := stores[to.Addrs[0]].ID; region.Leader.StoreID != store {
			err := c.operate(fmt.Sprintf(`{"name":"transfer-leader","region_id":%d,"to_store_id":%d}`, region.ID, store))
			return fmt.Errorf("store %d leads (%v)", region.Leader.StoreID, err)
		}
		return nil
	})
}

// operate hands PD an operator.
func (c *Cluster) operate(body string) error {
	reply, err := http.Post("http://"+c.PDs[0].Addrs[0]+"/pd/api/v1/operators", "application/json", strings.NewReader(body))
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if text, _ := io.ReadAll(reply.Body); reply.StatusCode != http.StatusOK {
		return fmt.Errorf("PD refused %s: %s", body, text)
	}
	return nil
}

// Stop ends all servers (SIGTERM, stores first) and returns what went wrong.
func (c *Cluster) Stop() error {
	var errs []error
	for _, p := range append(append([]*Process{}, c.Stores...), c.PDs...) {
		errs = append(errs, p.Stop(20*time.Second))
	}
	return errors.Join(errs...)
}

// Kill ends all servers at once without warning.
func (c *Cluster) Kill() {
	for _, p := range append(append([]*Process{}, c.Stores...), c.PDs...) {
		p.Kill()
	}
}

// poll repeats f until it succeeds or ctx ends.
func poll(ctx context.Context, what string, f func() error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w (%v)", what, ctx.Err(), err)
		case <-tick.C:
		}
	}
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func writeFile(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
