package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// steady is a machine half as fast as the original's.
var steady = Calibration{LoopSeconds: 2 * originalLoopSeconds, SyncP50Micros: 250}

func TestEveryMarkHasALine(t *testing.T) {
	marks, err := loadMarks()
	require.NoError(t, err)
	for _, m := range marks {
		found := false
		for _, g := range groups() {
			for _, l := range g.lines {
				found = found || len(judge([]Mark{m}, l.name, Values{m.Metric: 1}, steady)) > 0
			}
		}
		require.True(t, found, "no line is judged by %+v", m)
	}
}

func TestCPUOfTheOriginalIsScaledToTheMachine(t *testing.T) {
	m := Mark{Original: 50, Scaled: true, AtLeast: 2, Goal: 4, Aim: 6}
	for ours, want := range map[float64]string{51: "missed", 50: "made", 25: "goal", 16: "aim"} {
		v := m.judge(ours, steady)
		require.Equal(t, 100.0, v.Original)
		require.Equal(t, want, v.Grade, "%g us", ours)
	}
}

func TestRatesOfTheOriginalFallWithTheMachine(t *testing.T) {
	v := Mark{Original: 1000, Scaled: true, Rate: true, AtLeast: 3}.judge(1500, steady)
	require.Equal(t, 500.0, v.Original)
	require.Equal(t, 3.0, v.Ratio)
	require.Equal(t, "made", v.Grade)
}

func TestLimitOnTopOfASync(t *testing.T) {
	m := Mark{AtMost: 60, PlusSync: true}
	require.Equal(t, "made", m.judge(310, steady).Grade)
	require.Equal(t, "missed", m.judge(311, steady).Grade)
}

func TestReportShowsMediansOfRoundsAndErrors(t *testing.T) {
	result := func(cpu float64) Result {
		return Result{Line: "1store/get/batched/16", Build: "/b", Values: Values{"cpu_us_per_op": cpu}, Calibration: steady}
	}
	page, err := render([]Run{{Results: []Result{result(12), result(10), result(30),
		{Line: "start/empty", Build: "/b", Error: "no <server>"}}}})
	require.NoError(t, err)
	text := string(page)
	require.Contains(t, text, "12 (10-30)")
	require.Contains(t, text, "no &lt;server&gt;")
	require.Contains(t, text, "<svg")
	require.False(t, strings.Contains(text, "http://") || strings.Contains(text, "https://"), "the page needs no network")
}
