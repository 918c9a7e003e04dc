package texts

// The check run on a person's pull request: what merging it would promote, and
// where. It never stands in the way, except that an invalid pipeline file fails:
// neutral and success both satisfy a required check.

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
)

// ForeignCheck is the check run on the head of a person's pull request.
func ForeignCheck(f Foreign) Check {
	c := Check{Status: completed, Conclusion: success, Title: "Nothing here is promoted"}
	if f.File != nil && len(f.File.Problems) > 0 {
		c.Conclusion = failure
		c.Title = "The pipeline file has " + count(len(f.File.Problems), "problem")
		c.Summary = fit(func(room int) string { return problems(f, room) })
		return c
	}
	var titles []string
	if f.File != nil {
		c.Title = "The pipeline file is valid"
		if n := len(f.File.Effects); n > 0 {
			titles = append(titles, "The pipeline file is valid: "+count(n, "change"))
		}
	}
	if len(f.Reaches) > 0 {
		titles = append(titles, reachTitle(f.Reaches))
	}
	if n := widest(f.Shared); n > 0 {
		titles = append(titles, "Reaches "+count(n, "environment")+" at once")
	}
	if len(titles) > 0 {
		c.Conclusion = neutral
		c.Title = cut(strings.Join(titles, " · "), mostHeadline)
	}
	c.Summary = fit(func(room int) string {
		var parts []string
		for _, s := range []string{sharedList(f, room), reachList(f, room), effects(f, room)} {
			if s != "" {
				parts = append(parts, s)
			}
		}
		if len(parts) == 0 {
			return "Merging this changes nothing that promobot carries from one environment to another."
		}
		return strings.Join(parts, "\n\n")
	})
	return c
}

// widest is the most environments that one shared file reaches.
func widest(shared map[string]int) int {
	n := 0
	for _, v := range shared {
		n = max(n, v)
	}
	return n
}

// reachTitle is "Lands in dev, then goes to staging, prod-eu", or counts.
func reachTitle(rs []Reach) string {
	pipelines, here, onward := map[string]bool{}, []string{}, []string{}
	for _, r := range rs {
		pipelines[r.Pipeline] = true
		if !slices.Contains(here, r.Environment) {
			here = append(here, r.Environment)
		}
	}
	for _, r := range rs {
		for _, o := range r.Onward {
			if !slices.Contains(onward, o) {
				onward = append(onward, o)
			}
		}
	}
	s := "Changes " + plain(listed(here, 4, ", "))
	if len(pipelines) > 1 {
		s += " of " + count(len(pipelines), "pipeline")
	}
	if len(onward) == 0 {
		return s + "; nothing is promoted from there"
	}
	return s + ", then promoted to " + plain(listed(onward, 6, ", "))
}

// reachList names what lands where when this is merged.
func reachList(f Foreign, room int) string {
	if len(f.Reaches) == 0 {
		return ""
	}
	return "**Merging this lands at once:**\n\n- " + each(f.Reaches, room, "\n- ", func(r Reach) string {
		item := named(r.Pipeline) + " in " + "**" + named(r.Environment) + "**"
		if len(r.Onward) == 0 {
			return item + "; nothing is promoted from there"
		}
		return item + ", promoted from there to " + listed(inlined(r.Onward), 20, ", ")
	})
}

// sharedList names the files that several environments render.
func sharedList(f Foreign, room int) string {
	if len(f.Shared) == 0 {
		return ""
	}
	items := each(slices.Sorted(maps.Keys(f.Shared)), room, "\n- ", func(name string) string {
		return code(cut(name, mostPath)) + " reaches " + count(f.Shared[name], "environment")
	})
	return fmt.Sprintf("⚠ **This reaches %s at once:** no promotion and no gate stands between them.\n\n- %s",
		count(widest(f.Shared), "environment"), items)
}

// effects are what the changed pipeline file would do.
func effects(f Foreign, room int) string {
	if f.File == nil {
		return ""
	}
	if len(f.File.Effects) == 0 {
		return "The pipeline file is valid, and nothing changes by it."
	}
	return "The pipeline file is valid. Merging this changes:\n\n- " +
		each(f.File.Effects, room, "\n- ", func(e string) string { return said(e, f.Repository, 0) })
}

// problems are what is wrong with the pipeline file, and how to mend it.
func problems(f Foreign, room int) string {
	items := each(f.File.Problems, room, "\n- ", func(p config.Problem) string { return problem(p, f.Repository) })
	s := "As long as the file is invalid, nothing is promoted by it"
	if f.Number > 0 {
		s = "If this were merged, nothing would be promoted until the file is mended"
	}
	return s + ".\n\n- " + items
}

// problem is one problem of a file in a line.
func problem(p config.Problem, repo promotion.Repository) string {
	where := fmt.Sprintf("line %d", p.Line)
	if p.Line == 0 {
		where = "the file"
	} else if p.Column > 0 {
		where += fmt.Sprintf(", column %d", p.Column)
	}
	item := "✗ " + code(cut(p.File, mostPath)) + ", " + where + ": " + said(p.Message, repo, 0)
	if p.Remedy != "" {
		item += "; " + said(p.Remedy, repo, 0)
	}
	return item
}
