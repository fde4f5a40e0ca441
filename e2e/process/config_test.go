package process

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tikv/client-go/v2/rawkv"
)

// TestConfigTakesEffect makes regions small while the stores run: they split.  The file that a
// store would be started with keeps the change; what may not change is refused.
func TestConfigTakesEffect(t *testing.T) {
	c := start(t, 1, 3)
	post := func(address, change string) (int, string) {
		reply, err := http.Post("http://"+address+"/config", "application/json", strings.NewReader(change))
		if err != nil {
			t.Fatal(err)
		}
		defer reply.Body.Close()
		text, _ := io.ReadAll(reply.Body)
		return reply.StatusCode, string(text)
	}
	for _, store := range c.Stores {
		code, text := post(store.Addrs[1], `{"coprocessor.region-max-size":"2MB","coprocessor.region-split-size":"1MB",
			"raftstore.split-region-check-tick-interval":"500ms","raftstore.pd-heartbeat-tick-interval":"1s"}`)
		if code != http.StatusOK {
			t.Fatalf("status %d: %s", code, text)
		}
		for change, want := range map[string]string{
			`{"storage.data-dir":"x"}`:              "failed to update, error: ",
			`{"raftstore.no-such-key":1}`:           "failed to update, error: ",
			`{"raftstore.raft-entry-max-size":"x"}`: "failed to update, error: ",
			`raftstore`:                             "failed to decode, error: ",
		} {
			if code, text := post(store.Addrs[1], change); code != http.StatusInternalServerError || !strings.HasPrefix(text, want) {
				t.Errorf("%s: status %d: %s", change, code, text)
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := rawkv.NewClientWithOpts(ctx, strings.Split(c.PDAddrs(), ","))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i := range 200 {
		if err := client.Put(ctx, fmt.Appendf(nil, "config/%04d", i), bytes.Repeat([]byte("v"), 50_000)); err != nil {
			t.Fatal(err)
		}
	}
	for regions := 0; regions < 4; time.Sleep(100 * time.Millisecond) {
		states, err := c.StoreStates()
		if err != nil {
			t.Fatal(err)
		}
		for _, state := range states {
			regions = max(regions, state.Regions)
		}
		if ctx.Err() != nil {
			t.Fatalf("%d regions", regions)
		}
	}
	if text := c.Stores[0].Read("data/last_tikv.toml"); !strings.Contains(text, `region-split-size = "1MiB"`) {
		t.Errorf("the file does not hold the change:\n%s", text)
	}
}
