// with-cluster starts a cluster, runs a command with its PD addresses in place of the word @PD,
// stops the cluster and returns the command's exit code.
//
//	with-cluster -bin build/release/bin -stores 3 -- go test ./kv/raw -pd=@PD
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"e2e/process/cluster"

	"github.com/tikv/client-go/v2/util/codec"
)

func main() {
	bin := flag.String("bin", "build/release/bin", "folder of pd-server and tikv-server")
	pds := flag.Int("pds", 1, "number of PD members")
	stores := flag.Int("stores", 1, "number of stores")
	config := flag.String("store-config", "", "TOML text for every store")
	pdConfig := flag.String("pd-config", "", "TOML text for every PD member")
	split := flag.String("split", "", "key to split the first region at, before the command")
	keep := flag.String("keep", "", "folder for data and logs, kept; default: a temporary one, kept only on failure")
	flag.Parse()
	os.Exit(run(cluster.Options{Bin: *bin, PDs: *pds, Stores: *stores, StoreConfig: *config, PDConfig: *pdConfig}, *split, *keep))
}

func run(o cluster.Options, split, keep string) int {
	var err error
	if o.Bin, err = filepath.Abs(o.Bin); err != nil {
		return fail(err)
	}
	if o.Dir = keep; keep == "" {
		if o.Dir, err = os.MkdirTemp("", "with-cluster-"); err != nil {
			return fail(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	c, err := cluster.Start(ctx, o)
	defer c.Kill()
	if err == nil && split != "" {
		if strings.Contains(o.StoreConfig, "api-version = 2") {
			// Region borders are encoded there, and a user's key begins with its keyspace.
			split = string(codec.EncodeBytes(nil, []byte("r\x00\x00\x00"+split)))
		}
		err = c.Split(ctx, split)
	}
	if err != nil {
		return fail(fmt.Errorf("%w; logs are in %s", err, o.Dir))
	}
	code := command(c.PDAddrs())
	if err := c.Stop(); err != nil {
		code = max(code, fail(err))
	}
	if code == 0 && keep == "" {
		os.RemoveAll(o.Dir)
	} else {
		fmt.Fprintf(os.Stderr, "with-cluster: data and logs are in %s\n", o.Dir)
	}
	return code
}

func command(pd string) int {
	args := flag.Args()
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "@PD", pd)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		if exit, ok := err.(*exec.ExitError); ok {
			return exit.ExitCode()
		}
		return fail(err)
	}
	return 0
}

func fail(err error) int {
	fmt.Fprintf(os.Stderr, "with-cluster: %v\n", err)
	return 1
}
