package cluster

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"
)

// NewPD prepares one more PD member, which Start starts.  Its flags are the members' common ones
// and those given.
func (c *Cluster) NewPD(name string, flags ...string) (*Process, error) {
	p := &Process{Name: name, bin: filepath.Join(c.Opts.Bin, "pd-server"), dir: filepath.Join(c.Opts.Dir, name)}
	if err := p.reserve(2); err != nil {
		return nil, err
	}
	p.args = append([]string{"--name=" + p.Name, "--data-dir=" + p.DataDir(),
		"--client-urls=http://" + p.Addrs[0], "--advertise-client-urls=http://" + p.Addrs[0],
		"--peer-urls=http://" + p.Addrs[1], "--advertise-peer-urls=http://" + p.Addrs[1],
		"--log-file=" + filepath.Join(p.dir, "pd.log")}, flags...)
	if err := p.configure(c.Opts.PDConfig); err != nil {
		return nil, err
	}
	c.PDs = append(c.PDs, p)
	return p, nil
}

// Forget takes a member off the list of those that run.
func (c *Cluster) Forget(p *Process) {
	for i, other := range c.PDs {
		if other == p {
			c.PDs = append(c.PDs[:i:i], c.PDs[i+1:]...)
			return
		}
	}
}

// DataDir is where the process keeps its data.
func (p *Process) DataDir() string { return filepath.Join(p.dir, "data") }

// SetEnv adds variables ("NAME=value") to the environment of runs to come.
func (p *Process) SetEnv(vars ...string) { p.env = append(p.env, vars...) }

// AddFlags adds command line flags to runs to come.
func (p *Process) AddFlags(flags ...string) { p.args = append(p.args, flags...) }

// DropFlags takes off the flags that begin with prefix.
func (p *Process) DropFlags(prefix string) {
	var kept []string
	for _, arg := range p.args {
		if !strings.HasPrefix(arg, prefix) {
			kept = append(kept, arg)
		}
	}
	p.args = kept
}

// Wait waits for the end of the process and tells whether it came within limit.
func (p *Process) Wait(limit time.Duration) bool {
	select {
	case <-p.done:
		return true
	case <-time.After(limit):
		return false
	}
}

// Call sends one request to a server's HTTP port and decodes a JSON answer; into may be nil.
func Call(method, address, path, body string, into any) error {
	request, err := http.NewRequest(method, "http://"+address+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	client := http.Client{Timeout: 10 * time.Second}
	reply, err := client.Do(request)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	text, _ := io.ReadAll(reply.Body)
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", method, path, reply.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}
