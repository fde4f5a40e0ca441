package main

import (
	"fmt"
	"html/template"
	"math"
	"path/filepath"
	"slices"
	"strings"
)

// plot is one drawing.
type plot struct {
	Title string
	SVG   template.HTML // our own text only
}

// bar is one figure of a plot; of the original if gray.
type bar struct {
	label string
	value float64
	color string
}

const (
	grayBar = "#9aa0a6"
	goodBar = "#2e7d32"
	fairBar = "#1565c0"
	poorBar = "#c62828"
)

var gradeColors = map[string]string{"missed": poorBar, "made": fairBar, "goal": goodBar, "aim": goodBar, "": fairBar}

// plots are one drawing per metric and family of lines, ours beside the original's.
func plots(rows []*row) []plot {
	var out []plot
	for _, metric := range []struct{ key, title string }{
		{"cpu_us_per_op", "CPU of the servers per operation, us"},
		{"seconds", "start to first answer, s"}, {"gap_seconds", "longest gap, s"},
		{"rss_mb", "RSS, MB"},
	} {
		var families []string
		bars := map[string][]bar{}
		for _, r := range rows {
			for _, v := range r.Verdicts {
				if v.Metric != metric.key || v.Original == 0 {
					continue
				}
				family, _, _ := strings.Cut(r.Line, "/")
				if !slices.Contains(families, family) {
					families = append(families, family)
				}
				label := strings.TrimPrefix(r.Line, family+"/")
				if severalBuilds(rows) {
					label += " " + filepath.Base(filepath.Dir(r.Build))
				}
				bars[family] = append(bars[family], bar{label, v.Ours, gradeColors[v.Grade]}, bar{"", v.Original, grayBar})
			}
		}
		for _, family := range families {
			out = append(out, plot{family + ": " + metric.title, drawBars(bars[family])})
		}
	}
	return out
}

func severalBuilds(rows []*row) bool {
	return slices.ContainsFunc(rows, func(r *row) bool { return r.Build != rows[0].Build })
}

// drawBars draws them one under another on a logarithmic axis: the lines span three decades, and
// the same ratio then has the same length everywhere.
func drawBars(bars []bar) template.HTML {
	const left, width, height = 170.0, 640.0, 11.0
	low, high := math.Inf(1), 0.0
	for _, b := range bars {
		if b.value > 0 {
			low, high = min(low, b.value), max(high, b.value)
		}
	}
	from, to := math.Floor(math.Log10(low)), math.Ceil(math.Log10(high)+1e-9)
	x := func(v float64) float64 { return max(1, (math.Log10(max(v, low))-from)/(to-from)*width) }
	var s strings.Builder
	total := float64(len(bars))*(height+2) + 24
	fmt.Fprintf(&s, `<svg viewBox="0 0 %.0f %.0f" role="img">`, left+width+80, total)
	for decade := from; decade <= to; decade++ {
		at := left + (decade-from)/(to-from)*width
		fmt.Fprintf(&s, `<line x1="%.1f" x2="%.1f" y1="0" y2="%.0f" class="grid"/><text x="%.1f" y="%.0f" class="tick">%g</text>`,
			at, at, total-16, at, total-4, math.Pow(10, decade))
	}
	for i, b := range bars {
		y := float64(i)*(height+2) + 2
		if b.label != "" {
			fmt.Fprintf(&s, `<text x="%.0f" y="%.1f" class="label">%s</text>`, left-6, y+height-2, template.HTMLEscapeString(b.label))
		}
		fmt.Fprintf(&s, `<rect x="%.0f" y="%.1f" width="%.1f" height="%.0f" fill="%s"/><text x="%.1f" y="%.1f" class="value">%.3g</text>`,
			left, y, x(b.value), height, b.color, left+x(b.value)+4, y+height-2, b.value)
	}
	s.WriteString("</svg>")
	return template.HTML(s.String())
}
