package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"e2e/process/cluster"
)

// refused runs a server that must end by itself, soon, with an exit code and one sentence on
// stderr, which is returned.  Log lines may come before it.
func refused(t *testing.T, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(*bin, program), args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if ctx.Err() != nil || !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("want exit code 1, got %v, %v:\n%s", err, ctx.Err(), stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
	var said []string
	for _, line := range lines {
		if !strings.HasPrefix(line, "[") {
			said = append(said, line)
		}
	}
	if len(said) != 1 {
		t.Fatalf("want one sentence, got %d:\n%s", len(said), stderr.String())
	}
	return said[0]
}

func wants(t *testing.T, said string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(said, part) {
			t.Fatalf("want %q in %q", part, said)
		}
	}
}

// storeArgs and pdArgs start a server of its own in dir, on free ports.
func storeArgs(t *testing.T, dir, pd string) []string {
	n := freePorts(t, 2)
	return []string{fmt.Sprintf("--addr=127.0.0.1:%d", n), fmt.Sprintf("--status-addr=127.0.0.1:%d", n+1),
		"--pd=" + pd, "--data-dir=" + dir}
}

func pdArgs(t *testing.T, dir string) []string {
	n := freePorts(t, 2)
	return []string{"--name=pd-1", fmt.Sprintf("--client-urls=http://127.0.0.1:%d", n),
		fmt.Sprintf("--peer-urls=http://127.0.0.1:%d", n+1), "--data-dir=" + dir}
}

// with gives the flag that starts like this another value.
func with(args []string, flag, value string) []string {
	for i := range args {
		if strings.HasPrefix(args[i], flag) {
			args[i] = flag + value
		}
	}
	return args
}

func TestBrokenConfig(t *testing.T) {
	cases := []struct{ name, program, toml, want string }{
		{"NotTOML", "tikv-server", "server = = 1\n", ":1: "},
		{"NotTOML", "pd-server", "name = \n", ":1: "},
		{"WrongType", "tikv-server", "[server]\naddr = 5\n", `:2: server.addr = 5: expected a text`},
		{"WrongType", "pd-server", "client-urls = 5\n", `:1: client-urls = 5: expected a text`},
		{"WrongTypeOfScheduling", "pd-server", "[schedule]\nleader-schedule-limit = \"many\"\n", "cannot unmarshal string into field schedule.leader-schedule-limit of type uint64"},
		{"OutOfRange", "tikv-server", "[raftstore]\nraft-log-gc-threshold = 0\n", `:2: raftstore.raft-log-gc-threshold = 0: expected at least 1`},
		{"OutOfRange", "pd-server", "[replication]\nmax-replicas = 0\n", "max-replicas should be between 1 and 100"},
		{"Negative", "pd-server", "[replication]\nmax-replicas = -3\n", "cannot unmarshal number -3 into field replication.max-replicas of type uint64"},
		{"NoDuration", "tikv-server", "[raftstore]\nraft-base-tick-interval = \"soon\"\n", `"soon": expected a duration`},
		{"NoSize", "tikv-server", "[raftstore]\nraft-entry-max-size = \"1e30GB\"\n", `raftstore.raft-entry-max-size = "1e30GB"`},
		{"NoLevel", "tikv-server", "[log]\nlevel = \"loud\"\n", `"loud": expected`},
		{"NoLevel", "pd-server", "[log]\nlevel = \"loud\"\n", `"loud": expected`},
		{"TwiceTheSame", "tikv-server", "[log]\nlevel = \"info\"\nlevel = \"warn\"\n", ":3: "},
		{"NoAddress", "tikv-server", "[server]\naddr = \"nonsense\"\n", `server.addr = "nonsense": expected host:port`},
		{"NoURL", "pd-server", "client-urls = \"nonsense\"\n", "nonsense"},
	}
	for _, c := range cases {
		t.Run(c.program+"/"+c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.toml")
			if err := os.WriteFile(path, []byte(c.toml), 0o644); err != nil {
				t.Fatal(err)
			}
			wants(t, refused(t, c.program, "--config="+path, "--data-dir="+filepath.Join(t.TempDir(), "data")), c.want)
		})
	}
	for _, program := range []string{"tikv-server", "pd-server"} {
		t.Run(program+"/NoFile", func(t *testing.T) {
			wants(t, refused(t, program, "--config=/no/such/file.toml"), "/no/such/file.toml")
		})
		// As the originals: a key that nobody knows is a warning, and an error of --config-check.
		t.Run(program+"/UnknownKey", func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.toml")
			if err := os.WriteFile(path, []byte("[log]\nlevle = \"info\"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			wants(t, refused(t, program, "--config-check", "--config="+path), ":2: unknown key log.levle")
		})
	}
}

func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	c := start(t, 1, 1)
	for _, flag := range []string{"--addr=", "--status-addr="} {
		said := refused(t, "tikv-server", with(storeArgs(t, t.TempDir(), c.PDAddrs()), flag, taken)...)
		wants(t, said, taken, "is taken by another program")
	}
	for _, flag := range []string{"--client-urls=http://", "--peer-urls=http://"} {
		said := refused(t, "pd-server", with(pdArgs(t, t.TempDir()), flag, taken)...)
		wants(t, said, taken, "in use")
	}
	// A store that could not start leaves no ghost behind.
	states, err := c.StoreStates()
	if err != nil {
		t.Fatal(err)
	}
	if len(states) != 1 {
		t.Errorf("want one store, PD knows %v", states)
	}
}

func TestFolderInUse(t *testing.T) {
	c := start(t, 1, 1)
	store, pd := filepath.Join(c.Stores[0].Dir(), "data"), filepath.Join(c.PDs[0].Dir(), "data")
	wants(t, refused(t, "tikv-server", storeArgs(t, store, c.PDAddrs())...), store, "in use by another tikv-server")
	wants(t, refused(t, "pd-server", pdArgs(t, pd)...), pd, "another process uses")
	mustServe(t, rawClient(t, c), "folder")
}

// TestForeignFolder starts servers on data of others: a store of another cluster, a PD's folder as a
// store's, a store's as a PD's, and a member under another name.
func TestForeignFolder(t *testing.T) {
	mine, other := start(t, 1, 1), start(t, 1, 1)
	store, pd := filepath.Join(other.Stores[0].Dir(), "data"), filepath.Join(other.PDs[0].Dir(), "data")
	if err := other.Stop(); err != nil {
		t.Fatal(err)
	}
	t.Run("StoreOfAnotherCluster", func(t *testing.T) {
		wants(t, refused(t, "tikv-server", storeArgs(t, store, mine.PDAddrs())...), store, "belongs to cluster")
	})
	t.Run("StoreOnPDsFolder", func(t *testing.T) {
		wants(t, refused(t, "tikv-server", storeArgs(t, pd, mine.PDAddrs())...), pd, "belongs to a PD member")
	})
	t.Run("PDOnStoresFolder", func(t *testing.T) {
		wants(t, refused(t, "pd-server", pdArgs(t, store)...), store, "belongs to a store")
	})
	t.Run("NotAFolder", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		wants(t, refused(t, "tikv-server", storeArgs(t, file, mine.PDAddrs())...), file)
		wants(t, refused(t, "pd-server", pdArgs(t, file)...), file)
	})
	t.Run("StillTheirs", func(t *testing.T) { // None of it has harmed the data.
		for _, p := range []*cluster.Process{other.PDs[0], other.Stores[0]} {
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
		}
		mustServe(t, rawClient(t, other), "still")
	})
}
