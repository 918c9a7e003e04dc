package main

// The report: one list of figures, printed as a table and written as JSON.

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// report is a run of the program.
type report struct {
	At        time.Time `json:"at"`
	Go        string    `json:"go"`
	Git       string    `json:"git"`
	CPUs      int       `json:"cpus"`
	Quick     bool      `json:"quick"`
	APIMillis float64   `json:"api_latency_ms"`
	GitMillis float64   `json:"git_latency_ms"`
	Jobs      int       `json:"script_jobs"`
	Benches   []section `json:"benches"`
}

// disturbed is the share of other work, in percent, that is told.
const disturbed = 10

// section is one bench.
type section struct {
	Number int    `json:"number"`
	Title  string `json:"title"`
	// Others is the share of the machine's processors, in percent, that other
	// work had meanwhile.
	Others float64 `json:"others_percent"`
	// Wide prints a row for each case, with a column for each measure.
	Wide  bool     `json:"-"`
	Rows  []figure `json:"figures"`
	Notes []string `json:"notes,omitempty"`
}

// figure is one thing measured. Ours is promobot's, Script that of the script;
// nil where there is none.
type figure struct {
	Case    string   `json:"case,omitempty"`
	Measure string   `json:"measure"`
	Unit    string   `json:"unit,omitempty"`
	Ours    *float64 `json:"promobot,omitempty"`
	Script  *float64 `json:"script,omitempty"`
	// Ratio is Script by Ours: how many times less promobot needs.
	Ratio  *float64 `json:"ratio,omitempty"`
	Target string   `json:"target,omitempty"`
	Met    *bool    `json:"met,omitempty"`
}

func (r *report) begin(ctx context.Context, o options) {
	r.At, r.Go, r.CPUs, r.Quick, r.Jobs = time.Now().UTC().Truncate(time.Second), runtime.Version(), runtime.NumCPU(), o.quick, o.jobs
	r.APIMillis, r.GitMillis = o.api.Seconds()*1000, o.git.Seconds()*1000
	if out, err := exec.CommandContext(ctx, "git", "version").Output(); err == nil {
		r.Git = strings.TrimSpace(strings.TrimPrefix(string(out), "git version "))
	}
}

func (r *report) section(number int, title string) {
	r.Benches = append(r.Benches, section{Number: number, Title: title})
}

func (r *report) last() *section { return &r.Benches[len(r.Benches)-1] }

// add adds a figure of promobot's.
func (r *report) add(of, measure, unit string, ours float64) *figure {
	s := r.last()
	s.Rows = append(s.Rows, figure{Case: of, Measure: measure, Unit: unit, Ours: &ours})
	return &s.Rows[len(s.Rows)-1]
}

// addScript adds a figure that only the script has.
func (r *report) addScript(of, measure, unit string, script float64) {
	s := r.last()
	s.Rows = append(s.Rows, figure{Case: of, Measure: measure, Unit: unit, Script: &script})
}

// note adds a sentence to the bench.
func (r *report) note(format string, args ...any) {
	s := r.last()
	s.Notes = append(s.Notes, fmt.Sprintf(format, args...))
}

// against puts the script's figure beside promobot's.
func (f *figure) against(script float64) *figure {
	f.Script = &script
	if *f.Ours > 0 {
		ratio := script / *f.Ours
		f.Ratio = &ratio
	}
	return f
}

// target says what was aimed at, and whether it is met.
func (f *figure) target(text string, met bool) {
	f.Target, f.Met = text, &met
}

// missed is how many targets are not met. A smoke test's figures mean nothing.
func (r *report) missed() int {
	n := 0
	for _, s := range r.Benches {
		for _, f := range s.Rows {
			if f.Met != nil && !*f.Met && !r.Quick {
				n++
			}
		}
	}
	return n
}

// table prints the report.
func (r *report) table(w io.Writer) {
	if len(r.Benches) == 0 {
		return
	}
	fmt.Fprintf(w, "%s · %s · git %s · %d CPUs · API %g ms, git %g ms a request · scripts %d at a time\n",
		r.At.Format(time.RFC3339), r.Go, r.Git, r.CPUs, r.APIMillis, r.GitMillis, r.Jobs)
	if r.Quick {
		fmt.Fprintln(w, "A smoke test: the figures mean nothing.")
	}
	for _, s := range r.Benches {
		fmt.Fprintf(w, "\n### %d. %s\n\n", s.Number, s.Title)
		rows := s.wide(r.Quick)
		if !s.Wide {
			rows = [][]string{{"case", "measure", "promobot", "script", "ratio", "target", ""}}
			for _, f := range s.Rows {
				rows = append(rows, f.cells(r.Quick))
			}
		}
		writeTable(w, rows)
		if s.Others > disturbed {
			fmt.Fprintf(w, "\nOther work had %s %% of the machine meanwhile: the times are worth less.\n", number(s.Others))
		}
		for _, n := range s.Notes {
			fmt.Fprintf(w, "\n%s\n", n)
		}
	}
}

func (f *figure) cells(quick bool) []string {
	ratio := ""
	if f.Ratio != nil {
		ratio = number(*f.Ratio) + "×"
	}
	return []string{f.Case, f.Measure, value(f.Ours, f.Unit), value(f.Script, f.Unit), ratio, f.Target, f.verdict(quick)}
}

func (f *figure) verdict(quick bool) string {
	switch {
	case f.Met == nil || quick:
		return ""
	case *f.Met:
		return "met"
	default:
		return "**not met**"
	}
}

// wide has promobot's figures alone; a target stands below its measure's name.
func (s *section) wide(quick bool) [][]string {
	heading, columns := []string{"case"}, map[string]int{}
	for _, f := range s.Rows {
		if columns[f.Measure] == 0 {
			columns[f.Measure] = len(heading)
			heading = append(heading, f.Measure)
		}
		if at := columns[f.Measure]; f.Target != "" && heading[at] == f.Measure {
			heading[at] += " (" + f.Target + ")"
		}
	}
	// The last column of a table needs no heading.
	rows, of := [][]string{append(heading, "")}, map[string]int{}
	for _, f := range s.Rows {
		if of[f.Case] == 0 {
			of[f.Case] = len(rows)
			row := make([]string, len(heading)+1)
			row[0] = f.Case
			rows = append(rows, row)
		}
		rows[of[f.Case]][columns[f.Measure]] = strings.TrimSpace(value(f.Ours, f.Unit) + " " + f.verdict(quick))
	}
	return rows
}

func value(v *float64, unit string) string {
	if v == nil {
		return ""
	}
	if unit == "" {
		return number(*v)
	}
	return number(*v) + " " + unit
}

// number has three figures that say something, or all before the point.
func number(v float64) string {
	switch {
	case v == math.Trunc(v) || math.Abs(v) >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case math.Abs(v) >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
}

// docsMark is the line of a document below which the figures stand.
const docsMark = "<!-- figures -->"

// writeInto puts the table into a document, in place of the last one.
func (r *report) writeInto(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	head, _, found := strings.Cut(string(text), docsMark+"\n")
	if !found {
		return fmt.Errorf("%s has no line %s, below which the figures would stand", file, docsMark)
	}
	var table strings.Builder
	r.table(&table)
	return os.WriteFile(file, []byte(head+docsMark+"\n\n"+table.String()), 0o644)
}

// writeTable writes Markdown that can be read as it is. The first row is the
// heading; columns in which nothing stands are left out.
func writeTable(w io.Writer, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for column := range widths {
		for i, row := range rows {
			if i == 0 || row[column] == "" {
				continue
			}
			widths[column] = max(widths[column], len([]rune(row[column])), len([]rune(rows[0][column])), 3)
		}
	}
	line := func(cell func(column int) string) {
		for column, width := range widths {
			if width > 0 {
				text := cell(column)
				fmt.Fprintf(w, "| %s%s ", text, strings.Repeat(" ", width-len([]rune(text))))
			}
		}
		fmt.Fprintln(w, "|")
	}
	for i, row := range rows {
		line(func(column int) string { return row[column] })
		if i == 0 {
			line(func(column int) string { return strings.Repeat("-", widths[column]) })
		}
	}
}

// percentile is the smallest value that so many percent do not exceed; 0 of none.
func percentile(values []float64, percent float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	i := int(math.Ceil(percent/100*float64(len(sorted)))) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

func median(values []float64) float64 { return percentile(values, 50) }

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
