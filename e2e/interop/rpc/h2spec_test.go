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

// See README.md of lib/rpc.
const answeredAlready = "the stream was answered and closed before the frame came; RFC 9113 5.1 has it ignored"

const closedByGoaway = "we close once the peer has said GOAWAY; a frame still on its way makes the kernel reset instead"

var deviations = map[string]string{
	"Sends a GOAWAY frame":                         closedByGoaway,
	"Sends a GOAWAY frame with unknown error code": closedByGoaway,
	"Sends a WINDOW_UPDATE frame with a flow control window increment of 0 on a stream":                  answeredAlready,
	"Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1 on a stream": answeredAlready,
}

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
			if reason, known := deviations[tc.Desc]; known {
				t.Logf("%s %s: deviation: %s", group.ID(), tc.Desc, reason)
				continue
			}
			t.Errorf("%s %s: %v", group.ID(), tc.Desc, tc.Result.Error)
		}
	}
	for _, sub := range group.Groups {
		report(t, sub, total)
	}
}
