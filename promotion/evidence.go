package promotion

// Evidence: what checks, statuses, deployments and workflow runs say of a
// landing. Rules: only what is asked for by name counts, an empty list never
// does, promobot's own results never do; of one name the result on the newest
// commit counts, and on one commit the newest.

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/state"
)

// judgement is what the results on a landing come to.
type judgement struct {
	holds   bool // all that is asked for holds
	failing bool // something has failed, and not all can hold any more
	// missing says what is waited for, reasons what has failed.
	missing, reasons []string
	evidence         []state.Evidence
	hint             config.StepKind // a failing check's wish; "" for none
}

// judge weighs results. They come in the order of their commits, newest first.
func judge(v *config.Verify, results []CheckResult) judgement {
	j := judgement{holds: true}
	for _, group := range []struct {
		what string
		kind ResultKind
		asks *config.Evidence
	}{{"check", "", v.Checks}, {"deployment", DeploymentResult, v.Deployments}, {"workflow", WorkflowResult, v.Workflows}} {
		if group.asks != nil {
			j.weigh(group.what, group.kind, group.asks, results, v.Hints)
		}
	}
	if j.failing {
		j.holds = false
	}
	return j
}

// weigh adds what one kind of evidence says.
func (j *judgement) weigh(what string, kind ResultKind, asks *config.Evidence, results []CheckResult, hints bool) {
	good, red, open := 0, 0, 0
	for _, pattern := range asks.Names {
		found := meant(pattern, kind, asks.App, results)
		if len(found) == 0 {
			open++
			j.missing = append(j.missing, fmt.Sprintf("%s %s has not reported yet", what, pattern))
		}
		for _, r := range found {
			j.evidence = append(j.evidence, state.Evidence{
				Name: r.Name, Outcome: cmp.Or(r.Conclusion, r.Status), Commit: r.Commit, URL: r.URL, Text: r.Summary, Time: r.Time,
			})
			switch grade(r) {
			case gradeGood:
				good++
			case gradeRed:
				red++
				j.reasons = append(j.reasons, says(what, r))
				if hints {
					j.hint = cmp.Or(j.hint, hinted(r))
				}
			default:
				open++
				j.missing = append(j.missing, fmt.Sprintf("%s %s is %s", what, r.Name, cmp.Or(r.Conclusion, r.Status, "not finished")))
			}
		}
	}
	if asks.Any {
		j.failing = j.failing || good == 0 && open == 0 && red > 0
		j.holds = j.holds && good > 0
		return
	}
	j.failing = j.failing || red > 0
	j.holds = j.holds && open == 0 && red == 0 && good > 0
}

// meant are the results that a pattern names, one for each name.
func meant(pattern string, kind ResultKind, app string, results []CheckResult) []CheckResult {
	var out []CheckResult
	for _, r := range results {
		named := config.MatchesName(pattern, r.Name) || kind == WorkflowResult && r.File != "" && config.MatchesName(pattern, path.Base(r.File))
		if r.Kind != kind || r.ByApp || !named || app != "" && r.Slug != app {
			continue
		}
		i := slices.IndexFunc(out, func(o CheckResult) bool { return o.Name == r.Name && (o.App == r.App || o.Commit != r.Commit) })
		switch {
		case i < 0:
			out = append(out, r)
		case out[i].Commit == r.Commit && r.Time.After(out[i].Time):
			out[i] = r
		}
	}
	return out
}

type verdictGrade int

const (
	gradeOpen verdictGrade = iota
	gradeGood
	gradeRed
)

// grade is what a result says. Skipped and cancelled say nothing: they neither
// speak for a landing nor against it.
func grade(r CheckResult) verdictGrade {
	switch r.Conclusion {
	case "success", "neutral":
		return gradeGood
	case "failure", "error", "timed_out", "startup_failure", "action_required":
		return gradeRed
	}
	return gradeOpen
}

// says is a failed result as a reason.
func says(what string, r CheckResult) string {
	s := fmt.Sprintf("%s %s ended with %s", what, r.Name, r.Conclusion)
	if r.Summary != "" {
		s += ": " + clipped(r.Summary, 200)
	}
	return s
}

// hinted is the step that a failing check asks for in its own words.
func hinted(r CheckResult) config.StepKind {
	for _, text := range []string{r.Summary, r.Text} {
		for line := range strings.Lines(text) {
			word, is := strings.CutPrefix(strings.TrimSpace(line), "promobot:")
			switch k := config.StepKind(strings.TrimSpace(word)); {
			case !is:
			case k == config.Restart, k == config.Rollback, k == config.Halt:
				return k
			}
		}
	}
	return ""
}

// clipped is a text on one line, cut to a number of runes.
func clipped(text string, most int) string {
	r := []rune(strings.Join(strings.Fields(text), " "))
	if len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return string(r)
}
