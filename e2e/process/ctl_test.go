package process

import (
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// asked runs tikv-ctl and returns both outputs together with the exit code.
func asked(t *testing.T, args ...string) (string, int) {
	t.Helper()
	out, err := ctl(t, args...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return out, exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out, 0
}

func TestCtl(t *testing.T) {
	c := start(t, 1, 3)
	cases := []struct {
		args string
		code int
		want string // "=" in front: exactly
	}{
		{"raw put hello world", 0, "=ok\n"},
		{"raw get hello", 0, "=world\n"},
		{"raw get hello -o json", 0, `={"key":"hello","value":"world"}` + "\n"},
		{"raw get absent", 1, `key "absent" does not exist`},
		{"raw get absent -o json", 1, `={"key":"absent","value":null}` + "\n"},
		{"raw put --hex 0001ff 00", 0, "=ok\n"},
		{"raw get --hex 0001ff", 0, "=00\n"},
		{"raw scan g i", 0, "=hello\tworld\n"},
		{"raw scan --reverse --keys-only", 0, "=hello\n\\x00\\x01\\xff\n"},
		{"raw scan -o json g", 0, `={"key":"hello","value":"world"}` + "\n"},
		{"raw cas hello moon --expect sun", 1, `not swapped: the key holds "world"`},
		{"raw cas hello moon --expect sun -o json", 1, `={"previous":"world","swapped":false}` + "\n"},
		{"raw cas hello moon --expect world", 0, "=swapped\n"},
		{"raw cas new value --absent", 0, "=swapped\n"},
		{"raw delete hello", 0, "=ok\n"},
		{"raw get hello", 1, "does not exist"},
		{"raw put x y --cf bogus", 1, "invalid cf name: bogus"},
		{"raw put x y --ttl 10", 1, "ttl"},
		{"raw get --hex zz", 1, "not hex"},
		{"raw get " + strings.Repeat("k", 9000), 1, "does not exist"},
		{"raw put " + strings.Repeat("k", 9000) + " v", 1, "max key size exceeded"},
		{"cluster", 0, "pd-1  leader  healthy"},
		{"bench mixed --seconds 0.2 --clients 4", 0, "mixed by 4 clients"},
		{"bench jump", 1, "put, get or mixed"},
		{"bench --clients 0", 2, "--clients"},
		{"--help", 0, "Examples:"},
		{"raw --help", 0, "tikv-ctl raw put hello world"},
		{"nonsense", 2, `no command "nonsense"`},
		{"raw get", 2, "key is required"},
		{"raw get x --no-such", 2, "--no-such"},
	}
	for _, test := range cases {
		name := test.args[:min(len(test.args), 40)]
		out, code := asked(t, append(strings.Fields(test.args), "--pd", c.PDAddrs())...)
		exact, isExact := strings.CutPrefix(test.want, "=")
		if code != test.code || (isExact && out != exact) || !strings.Contains(out, strings.TrimPrefix(test.want, "=")) {
			t.Errorf("%s: want code %d and %q, got %d and\n%s", name, test.code, test.want, code, out)
		}
	}
}

func TestCtlJSON(t *testing.T) {
	c := start(t, 1, 1)
	out, _ := asked(t, "--pd", c.PDAddrs(), "cluster", "-o", "json")
	var cluster struct {
		Stores  []struct{ Address, State string }
		Members []struct {
			Name            string
			Leader, Healthy bool
		}
	}
	if err := json.Unmarshal([]byte(out), &cluster); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	if len(cluster.Stores) != 1 || cluster.Stores[0].State != "Up" || cluster.Stores[0].Address != c.Stores[0].Addrs[0] ||
		len(cluster.Members) != 1 || !cluster.Members[0].Leader || !cluster.Members[0].Healthy {
		t.Fatal(out)
	}
	report := bench(t, c.PDAddrs(), "put", "--seconds", "1")
	if report.Operations == 0 || report.Errors != 0 || report.P99 <= 0 {
		t.Fatalf("%+v", report)
	}
}

type benchReport struct {
	Operations, Errors int
	P99                float64 `json:"p99_us"`
	LastError          string  `json:"last_error"`
}

// bench runs `tikv-ctl bench` and returns its report.
func bench(t *testing.T, pd string, args ...string) benchReport {
	t.Helper()
	out, err := exec.Command(ctlPath(), append([]string{"--pd", pd, "-o", "json", "bench"}, args...)...).Output()
	var report benchReport
	if err == nil {
		err = json.Unmarshal(out, &report)
	}
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	return report
}

// A cluster that is down, whole or in part, is said to be so, in time.
func TestCtlOfADownCluster(t *testing.T) {
	says := func(limit time.Duration, want string, args ...string) {
		t.Helper()
		begin := time.Now()
		out, code := asked(t, args...)
		if took := time.Since(begin); code != 1 || !strings.Contains(out, want) || took > limit {
			t.Errorf("%v: want code 1 and %q within %s, got %d after %s:\n%s", args, want, limit, code, took, out)
		}
	}
	nobody := "127.0.0.1:1"
	says(5*time.Second, "no PD at 127.0.0.1:1 serves", "--pd", nobody, "raw", "get", "x")
	says(5*time.Second, "no PD at 127.0.0.1:1 serves", "--pd", nobody, "bench")
	says(5*time.Second, "no PD member answers", "--pd", nobody, "cluster")

	c := start(t, 1, 1)
	c.Stores[0].Kill()
	says(4*time.Second, "Connection refused", "--pd", c.PDAddrs(), "--timeout", "2", "raw", "get", "x")
	says(6*time.Second, "operations failed", "--pd", c.PDAddrs(), "--timeout", "2", "bench", "--seconds", "1")
}

// TestDriverRidesOut loads the cluster by the C++ driver while regions split, leaders move and stores
// die: not one request may fail.
func TestDriverRidesOut(t *testing.T) {
	c := start(t, 1, 3)
	reports := make(chan benchReport, 1)
	go func() {
		reports <- bench(t, c.PDAddrs(), "mixed", "--seconds", "12", "--clients", "32", "--keys", "10000")
	}()
	hurt(t, c)
	if r := <-reports; r.Errors > 0 || r.Operations < 1000 {
		t.Fatalf("%+v", r)
	}
}
