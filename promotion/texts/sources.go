package texts

// The check run on the base branch's tip when versions cannot come from where
// the pipeline file says, until a person has done something about it.

import (
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
)

const sourcesReadable = "Every source of versions can be read"

// SourcesCheck is the check run that says which sources cannot be read, and what
// to do; with none, that they all can be read again.
func SourcesCheck(repo promotion.Repository, ps config.Problems) Check {
	if len(ps) == 0 {
		return Check{Status: completed, Conclusion: success, Title: sourcesReadable, Summary: "New versions are promoted as they come."}
	}
	return Check{
		Status: completed, Conclusion: failure, Title: sourcesTitle(ps),
		Summary: fit(func(room int) string { return unreadable(repo, ps, room) }),
	}
}

// WithSources is another check run of the same commit, saying so too.
func WithSources(c Check, repo promotion.Repository, ps config.Problems) Check {
	c.Conclusion = failure
	text := fitTo(mostCheck/4, mostRows, func(room int) string { return unreadable(repo, ps, room) })
	if text = "**" + sourcesTitle(ps) + ".** " + text; len(c.Summary)+len(text)+2 <= mostCheck {
		c.Summary += "\n\n" + text
	}
	return c
}

// SaysUnreadable tells the title of a check run that names such sources.
func SaysUnreadable(title string) bool { return strings.HasSuffix(title, unreadableEnd) }

const unreadableEnd = " of versions cannot be read"

func sourcesTitle(ps config.Problems) string { return count(len(ps), "source") + unreadableEnd }

func unreadable(repo promotion.Repository, ps config.Problems, room int) string {
	return "Nothing new comes from there until that is mended; then promobot goes on by itself. All else goes on.\n\n- " +
		each(slices.Clone(ps), room, "\n- ", func(p config.Problem) string { return problem(p, repo) })
}
