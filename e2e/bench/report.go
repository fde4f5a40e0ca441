package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed report.html
var pageText string

// report writes one page, with everything in it, beside the newest of the files.
func report(paths []string) error {
	if len(paths) == 0 {
		found, err := filepath.Glob("build/bench/*.json")
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return fmt.Errorf("no file in build/bench: run make bench first")
		}
		slices.Sort(found) // Their names are times.
		paths = found[len(found)-1:]
	}
	var runs []Run
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var run Run
		if err := json.Unmarshal(text, &run); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		runs = append(runs, run)
	}
	page, err := render(runs)
	if err != nil {
		return err
	}
	out := filepath.Join(filepath.Dir(paths[len(paths)-1]), "report.html")
	if err := os.WriteFile(out, page, 0o644); err != nil {
		return err
	}
	fmt.Println("written to", out)
	return nil
}

func render(runs []Run) ([]byte, error) {
	page, err := template.New("report").Parse(pageText)
	if err != nil {
		return nil, err
	}
	type data struct {
		Runs     []Run
		Sections []section
		Plots    []plot
		Grades   map[string]int
	}
	d := data{Runs: runs, Grades: map[string]int{}}
	rows := gather(runs)
	for _, r := range rows {
		for _, v := range r.Verdicts {
			if v.Grade != "" {
				d.Grades[v.Grade]++
			}
		}
	}
	d.Sections, d.Plots = sections(rows), plots(rows)
	var out bytes.Buffer
	err = page.Execute(&out, d)
	return out.Bytes(), err
}

// row is a line of one build: the medians over its rounds.
type row struct {
	Line, Build string
	Rounds      int
	Values      Values
	Low, High   Values
	Verdicts    []Verdict
	Drift       float64 // the worst
	Error       string
}

func gather(runs []Run) []*row {
	var order []*row
	index := map[string]*row{}
	all := map[string]map[string][]float64{}
	for _, run := range runs {
		for _, r := range run.Results {
			key := r.Line + " " + r.Build
			if index[key] == nil {
				index[key] = &row{Line: r.Line, Build: r.Build, Values: Values{}, Low: Values{}, High: Values{}}
				order, all[key] = append(order, index[key]), map[string][]float64{}
			}
			to := index[key]
			if r.Error != "" {
				to.Error = r.Error
				continue
			}
			to.Rounds++
			to.Drift = max(to.Drift, r.Calibration.Drift)
			for name, value := range r.Values {
				all[key][name] = append(all[key][name], value)
			}
		}
	}
	marks, _ := loadMarks()
	for key, r := range index {
		for name, values := range all[key] {
			slices.Sort(values)
			r.Values[name], r.Low[name], r.High[name] = values[len(values)/2], values[0], values[len(values)-1]
		}
		r.Verdicts = judge(marks, r.Line, r.Values, medianCalibration(runs, r))
	}
	return order
}

// medianCalibration is that of the round in the middle by loop time.
func medianCalibration(runs []Run, r *row) Calibration {
	var all []Calibration
	for _, run := range runs {
		for _, result := range run.Results {
			if result.Line == r.Line && result.Build == r.Build && result.Error == "" {
				all = append(all, result.Calibration)
			}
		}
	}
	if len(all) == 0 {
		return Calibration{LoopSeconds: originalLoopSeconds}
	}
	slices.SortFunc(all, func(a, b Calibration) int { return int((a.LoopSeconds - b.LoopSeconds) * 1e9) })
	return all[len(all)/2]
}

// section is a table of rows with the same columns.
type section struct {
	Name    string
	Columns []string
	Rows    []tableRow
}

type tableRow struct {
	*row
	Cells []string
}

func sections(rows []*row) []section {
	var out []section
	for _, r := range rows {
		name, _, _ := strings.Cut(r.Line, "/")
		if len(out) == 0 || out[len(out)-1].Name != name {
			out = append(out, section{Name: name})
		}
		s := &out[len(out)-1]
		s.Rows = append(s.Rows, tableRow{row: r})
	}
	for i := range out {
		s := &out[i]
		for _, c := range shown {
			if slices.ContainsFunc(s.Rows, func(r tableRow) bool { _, ok := r.Values[c.key]; return ok }) {
				s.Columns = append(s.Columns, c.key)
			}
		}
		for j := range s.Rows {
			for _, column := range s.Columns {
				s.Rows[j].Cells = append(s.Rows[j].Cells, s.Rows[j].cell(column))
			}
		}
	}
	return out
}

func (r *row) cell(column string) string {
	value, ok := r.Values[column]
	switch {
	case !ok:
		return ""
	case r.Rounds > 1:
		return fmt.Sprintf("%.4g (%.4g-%.4g)", value, r.Low[column], r.High[column])
	}
	return fmt.Sprintf("%.4g", value)
}
