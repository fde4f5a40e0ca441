package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
)

//go:embed marks.json
var marksText []byte

// Mark is a figure of the original and what is to be reached, for one value of the lines that
// match.
type Mark struct {
	Line   string `json:"line"`   // regular expression
	Metric string `json:"metric"` // a key of Values
	// What the original needs; 0: unknown.  Of a range the lower end, which is the fair one.
	Original float64 `json:"original"`
	Source   string  `json:"source"`
	// Scaled: the figure is CPU time and grows with the calibration loop.
	Scaled bool `json:"scaled"`
	Rate   bool `json:"rate"` // more is better
	// How many times better than the original: at least, wanted, aimed at.
	AtLeast float64 `json:"at_least"`
	Goal    float64 `json:"goal"`
	Aim     float64 `json:"aim"`
	// A limit in the metric's own unit, instead of a ratio.
	AtMost float64 `json:"at_most"`
	// With AtMost: on top of one fdatasync as calibrated beside the line.
	PlusSync bool `json:"plus_sync"`
}

// Verdict is a mark held against a result.
type Verdict struct {
	Metric   string  `json:"metric"`
	Ours     float64 `json:"ours"`
	Original float64 `json:"original,omitempty"` // scaled to this machine
	Ratio    float64 `json:"ratio,omitempty"`    // how many times better we are
	Wanted   string  `json:"wanted,omitempty"`
	Grade    string  `json:"grade"` // missed, made, goal, aim; "" when there is no mark
	Source   string  `json:"source,omitempty"`
}

// What the calibration loop took where the original was measured: the middle of 0.49-0.54 s.
const originalLoopSeconds = 0.515

func loadMarks() ([]Mark, error) {
	var marks []Mark
	if err := json.Unmarshal(marksText, &marks); err != nil {
		return nil, fmt.Errorf("marks.json: %w", err)
	}
	for _, m := range marks {
		if _, err := regexp.Compile(m.Line); err != nil {
			return nil, fmt.Errorf("marks.json: %w", err)
		}
	}
	return marks, nil
}

// judge holds every mark of that line against its values.
func judge(marks []Mark, line string, v Values, c Calibration) []Verdict {
	var out []Verdict
	for _, m := range marks {
		ours, ok := v[m.Metric]
		if ok && regexp.MustCompile(m.Line).MatchString(line) {
			out = append(out, m.judge(ours, c))
		}
	}
	return out
}

func (m Mark) judge(ours float64, c Calibration) Verdict {
	verdict := Verdict{Metric: m.Metric, Ours: ours, Original: m.Original, Source: m.Source}
	slower := c.LoopSeconds / originalLoopSeconds
	if m.Scaled && m.Rate {
		verdict.Original /= slower
	} else if m.Scaled {
		verdict.Original *= slower
	}
	if verdict.Original > 0 && ours > 0 {
		verdict.Ratio = verdict.Original / ours
		if m.Rate {
			verdict.Ratio = ours / verdict.Original
		}
	}
	limit := m.AtMost
	if m.PlusSync {
		limit += c.SyncP50Micros
	}
	switch {
	case limit > 0:
		verdict.Wanted = fmt.Sprintf("at most %.4g", limit)
		verdict.Grade = grade(ours <= limit, false, false)
	case m.AtLeast > 0 && verdict.Original > 0:
		verdict.Wanted = fmt.Sprintf("%gx", m.AtLeast)
		r := verdict.Ratio
		if ours == 0 && !m.Rate {
			r = m.Aim // nothing at all: as good as it gets
		}
		verdict.Grade = grade(r >= m.AtLeast, m.Goal > 0 && r >= m.Goal, m.Aim > 0 && r >= m.Aim)
	}
	return verdict
}

func grade(made, goal, aim bool) string {
	switch {
	case aim:
		return "aim"
	case goal:
		return "goal"
	case made:
		return "made"
	}
	return "missed"
}
