package process

import (
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"e2e/process/cluster"
)

// TestPDKill kills any member of three, the leader or all at once, again and again, under
// timestamps and raw load.  No timestamp may go back, nothing acknowledged may be lost.
func TestPDKill(t *testing.T) {
	c := start(t, 3, 3)
	if *seed == 0 {
		*seed = time.Now().UnixNano()
	}
	t.Logf("-seed=%d", *seed)
	random := rand.New(rand.NewSource(*seed))
	load := newLoad(t, c.PDAddrs(), 2)
	defer load.stop()
	ts := newClocks(t, c.PDAddrs(), 4)

	for round := range *rounds {
		load.progress(t, 50)
		var victims []*cluster.Process
		switch random.Intn(4) {
		case 0:
			victims = c.PDs
		case 1:
			victims = []*cluster.Process{c.PDs[random.Intn(len(c.PDs))]}
		default:
			victims = []*cluster.Process{leader(t, c)}
		}
		ts.longest()
		for _, p := range victims {
			p.Kill()
		}
		// A majority goes on by itself; of all three none does.
		if len(victims) == 1 {
			ts.progress(t, 50)
		}
		for _, p := range victims {
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
		}
		ts.progress(t, 50)
		t.Logf("round %d: killed %s, longest pause of timestamps %s", round, names(victims), ts.longest().Round(time.Millisecond))
	}
	load.progress(t, 50)
	load.stop()
	ts.check(t)
	t.Logf("%d operations, %d errors", load.log.Count(), load.failures())
	if err := load.log.Check(time.Minute); err != nil {
		t.Fatal(err)
	}
}

// TestPDMembers grows PD from one member to five and shrinks it to three, under load.
func TestPDMembers(t *testing.T) {
	c := start(t, 1, 1)
	load := newLoad(t, c.PDAddrs(), 2)
	defer load.stop()
	ts := newClocks(t, c.PDAddrs(), 4)
	join := func(name string) {
		p, err := c.NewPD(name, "--join=http://"+c.PDs[0].Addrs[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		await(t, name+" to be a voter", func() bool {
			return cluster.Call("GET", p.Addrs[0], "/pd/api/v2/readyz/etcd-non-learner", "", nil) == nil
		})
		load.progress(t, 50)
	}
	for n := 2; n <= 5; n++ {
		join(fmt.Sprintf("pd-%d", n))
	}
	ts.check(t)
	// A client learns of members once a minute: this one knows them all, whoever goes.
	ts = newClocks(t, c.PDAddrs(), 4)
	ts.progress(t, 50)
	ts.longest()

	id := func(name string) uint64 {
		m, err := getMembers(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, member := range m.Members {
			if member.Name == name {
				return member.MemberID
			}
		}
		t.Fatalf("no member %s", name)
		return 0
	}
	gone := func(p *cluster.Process) {
		if !p.Wait(10 * time.Second) {
			t.Errorf("the removed %s still runs after 10 s", p.Name)
		}
		if !strings.Contains(p.Tail(), "was removed from the cluster") {
			t.Errorf("%s does not say why it ended: %s", p.Name, p.Tail())
		}
		c.Forget(p)
		load.progress(t, 50)
		ts.progress(t, 50)
		pause := ts.longest()
		if pause > time.Second {
			t.Errorf("removing %s cost %s without timestamps", p.Name, pause)
		}
		t.Logf("%s removed, longest pause of timestamps %s", p.Name, pause.Round(time.Millisecond))
	}
	// A follower through etcdctl, then the leader itself over HTTP.
	var follower *cluster.Process
	for _, p := range c.PDs {
		if p != leader(t, c) {
			follower = p
		}
	}
	if out, err := etcdctl(t, c, "member", "remove", fmt.Sprintf("%x", id(follower.Name))); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	gone(follower)
	first := leader(t, c)
	if err := cluster.Call("DELETE", first.Addrs[0], "/pd/api/v1/members/name/"+first.Name, "", nil); err != nil {
		t.Fatal(err)
	}
	await(t, "another leader", func() bool { return leader(t, c) != first })
	gone(first) // Leadership was handed over before, or it would have taken an election.
	if m, err := getMembers(c); err != nil || len(m.Members) != 3 {
		t.Errorf("%d members, want 3: %v", len(m.Members), err)
	}
	load.stop()
	ts.check(t)
	if err := load.log.Check(time.Minute); err != nil {
		t.Fatal(err)
	}
}

// TestPDForceNewCluster takes one of three members whose majority is gone for good and lets it go
// on alone, with all that was acknowledged; others join it.
func TestPDForceNewCluster(t *testing.T) {
	c := start(t, 3, 0)
	for n := range 20 {
		if out, err := etcdctl(t, c, "put", fmt.Sprintf("force/%d", n), "v"); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
	}
	ts := newClocks(t, c.PDAddrs(), 2)
	ts.progress(t, 100)
	c.Kill()
	survivor := c.PDs[1]
	c.Forget(c.PDs[2])
	c.Forget(c.PDs[0])
	survivor.AddFlags("--force-new-cluster")
	if err := survivor.Start(); err != nil {
		t.Fatal(err)
	}
	leader(t, c)
	ts.progress(t, 100)
	if m, err := getMembers(c); err != nil || len(m.Members) != 1 {
		t.Fatalf("%d members, want 1: %v", len(m.Members), err)
	}
	out, err := etcdctl(t, c, "get", "--prefix", "force/", "--keys-only")
	if n := strings.Count(out, "force/"); err != nil || n != 20 {
		t.Fatalf("%d of 20 keys: %v", n, err)
	}
	// The flag left in place must not undo what came after.
	joined, err := c.NewPD("pd-4", "--join=http://"+survivor.Addrs[0])
	if err == nil {
		err = joined.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	await(t, "two members", func() bool {
		m, err := getMembers(c)
		return err == nil && len(m.Members) == 2 && m.Members[0].Name != "" && m.Members[1].Name != ""
	})
	ts.check(t)
}

// TestPDQuota fills the metadata beyond its quota: clients' writes are refused, reads and PD's own
// work go on, and deleting, compacting and disarming through etcdctl opens it again.
func TestPDQuota(t *testing.T) {
	c := startWith(t, cluster.Options{PDs: 1, Stores: 1, PDConfig: "quota-backend-bytes = \"16MB\"\n"})
	load := newLoad(t, c.PDAddrs(), 1)
	defer load.stop()
	ts := newClocks(t, c.PDAddrs(), 2)
	value := filepath.Join(t.TempDir(), "value")
	big := make([]byte, 1<<20)
	rand.New(rand.NewSource(1)).Read(big)
	if err := os.WriteFile(value, big, 0o644); err != nil {
		t.Fatal(err)
	}
	put := func(key string) (string, error) {
		cmd := exec.Command("sh", "-c", fmt.Sprintf("etcdctl --endpoints=%s put %s < %s", c.PDAddrs(), key, value))
		cmd.Env = append(cmd.Environ(), "ETCDCTL_API=3")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	refused := ""
	for n := 0; n < 200 && refused == ""; n++ {
		if out, err := put(fmt.Sprintf("fill/%d", n)); err != nil {
			refused = out
		}
	}
	if !strings.Contains(refused, "database space exceeded") {
		t.Fatalf("the quota was not enforced: %q", refused)
	}
	if out, _ := etcdctl(t, c, "alarm", "list"); !strings.Contains(out, "NOSPACE") {
		t.Errorf("alarm list: %q", out)
	}
	if out, err := etcdctl(t, c, "get", "fill/0", "--keys-only"); err != nil || !strings.Contains(out, "fill/0") {
		t.Errorf("a read under the alarm: %q %v", out, err)
	}
	// Timestamps outlive their window of three seconds, ids theirs, and stores are served.
	for until := time.Now().Add(4 * time.Second); time.Now().Before(until); {
		ts.progress(t, 10)
	}
	load.progress(t, 50)
	if err := cluster.Call("POST", c.PDs[0].Addrs[0], "/pd/api/v1/config", `{"leader-schedule-limit": 7}`, nil); err != nil {
		t.Errorf("PD's own configuration under the alarm: %v", err)
	}
	if out, err := etcdctl(t, c, "del", "--prefix", "fill/"); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	out, err := etcdctl(t, c, "endpoint", "status", "-w", "fields")
	if err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	var revision int64
	for _, line := range strings.Split(out, "\n") {
		_, _ = fmt.Sscanf(line, "\"Revision\" : %d", &revision)
	}
	for _, args := range [][]string{{"compact", fmt.Sprint(revision)}, {"defrag"}, {"alarm", "disarm"}} {
		if out, err := etcdctl(t, c, args...); err != nil {
			t.Fatalf("%v: %s: %v", args, out, err)
		}
	}
	await(t, "writes to be taken again", func() bool {
		_, err := put("fill/after")
		return err == nil
	})
	ts.check(t)
}

// TestPDFullDisk lets the disk of a lone member run full: it ends with one sentence, and goes on
// with everything that was acknowledged when there is room again.
func TestPDFullDisk(t *testing.T) {
	dir := t.TempDir()
	disk := filepath.Join(dir, "disk")
	if err := os.MkdirAll(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=96m", "pd-full-disk", disk).CombinedOutput(); err != nil {
		t.Skipf("cannot mount a small disk: %s", out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", disk).Run() })
	c := start(t, 1, 0)
	p := c.PDs[0]
	c.Kill()
	p.DropFlags("--data-dir=")
	p.AddFlags("--data-dir=" + filepath.Join(disk, "data"))
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	leader(t, c)
	survive(t, c, p, func() {
		f, err := os.Create(filepath.Join(disk, "ballast"))
		if err != nil {
			t.Fatal(err)
		}
		block := make([]byte, 1<<20)
		for _, err = f.Write(block); err == nil; _, err = f.Write(block) {
		}
		for _, err = f.Write(block[:512]); err == nil; _, err = f.Write(block[:512]) {
		}
		f.Close()
	}, func() { os.Remove(filepath.Join(disk, "ballast")) }, "No space left on device")
}

// TestPDFailedSync makes fsync and fdatasync fail: the member must end, for what the kernel has
// dropped then would be taken for durable.
func TestPDFailedSync(t *testing.T) {
	dir := t.TempDir()
	library, trigger := filepath.Join(dir, "failsync.so"), filepath.Join(dir, "fail")
	if out, err := exec.Command("cc", "-shared", "-fPIC", "-o", library, "testdata/failsync.c", "-ldl").CombinedOutput(); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	c := start(t, 1, 0)
	p := c.PDs[0]
	c.Kill()
	p.SetEnv("LD_PRELOAD="+library, "FAILSYNC_TRIGGER="+trigger)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	leader(t, c)
	survive(t, c, p, func() {
		if err := os.WriteFile(trigger, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}, func() { os.Remove(trigger) }, "Input/output error")
}

// survive puts keys while harm is done to the disk, waits for the end with one sentence, heals and
// looks for every acknowledged key.
func survive(t *testing.T, c *cluster.Cluster, p *cluster.Process, harm, heal func(), reason string) {
	t.Helper()
	var acknowledged []string
	put := func(n int) bool {
		key := fmt.Sprintf("survive/%d", n)
		out, err := etcdctl(t, c, "put", key, strings.Repeat("v", 10_000))
		if err == nil && strings.Contains(out, "OK") {
			acknowledged = append(acknowledged, key)
		}
		return err == nil
	}
	n := 0
	for ; n < 20; n++ {
		if !put(n) {
			t.Fatal("a put failed on a good disk")
		}
	}
	harm()
	for limit := n + 5_000; p.Running() && n < limit; n++ {
		put(n)
	}
	if !p.Wait(10 * time.Second) {
		t.Fatalf("the member goes on without its disk, after %d puts", n)
	}
	if out := p.Tail(); !strings.Contains(out, "pd-server: ") || !strings.Contains(out, reason) {
		t.Errorf("it does not say why it ended: %q", out)
	} else {
		t.Logf("it said: %s", strings.TrimSpace(out))
	}
	heal()
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	leader(t, c)
	out, err := etcdctl(t, c, "get", "--prefix", "survive/", "--keys-only")
	if err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	have := map[string]bool{}
	for _, line := range strings.Fields(out) {
		have[line] = true
	}
	for _, key := range acknowledged {
		if !have[key] {
			t.Errorf("%s was acknowledged and is lost", key)
		}
	}
	t.Logf("%d acknowledged puts, all there: %v", len(acknowledged), !t.Failed())
}
