package rpcinterop

import (
	"strconv"
	"testing"
	"time"

	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	"github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"
)

func TestH2Spec(t *testing.T) {
	// Without HTTP/1.1 on the same port: there, what is not HTTP/2 gets an HTTP answer.
	s := startServer(t, "--http=false")
	port, _ := strconv.Atoi(s.port)
	c := &config.Config{Host: "127.0.0.1", Port: port, Path: "/", Timeout: 2 * time.Second,
		MaxHeaderLen: 4000, Verbose: false}
	total := 0
	for _, group := range []*spec.TestGroup{generic.Spec(), http2.Spec(), hpack.Spec()} {
		group.Test(c)
		report(t, group, &total)
	}
	t.Logf("%d cases", total)
}

func report(t *testing.T, group *spec.TestGroup, total *int) {
	for _, tc := range group.Tests {
		*total++
		if tc.Result != nil && (tc.Result.Failed || tc.Result.Skipped) {
			t.Errorf("%s %s: %v", group.ID(), tc.Desc, tc.Result.Error)
		}
	}
	for _, sub := range group.Groups {
		report(t, sub, total)
	}
}
