package view

// Words and addresses: what comes from elsewhere made fit to be shown. Nothing is
// escaped here, since each way of showing has its own; but what could not be seen,
// or would turn the text around, is taken out, and everything is bounded.

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
)

// How much of one text is shown, in characters.
const (
	mostText  = 600
	mostName  = 200
	mostTitle = 256
)

// text is a sentence on one line.
func text(s string) string { return cut(visible(s), mostText) }

// name is a name on one line.
func name(s string) string { return cut(visible(s), mostName) }

func visible(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD")))
}

func cut(s string, n int) string {
	if len(s) <= n || utf8.RuneCountInString(s) <= n {
		return s
	}
	return strings.TrimRight(string([]rune(s)[:n-1]), " ") + "…"
}

// page is an address that a link may lead to: of the web, without a user; "" for
// any other, which a check's details may be.
func page(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || len(address) > 2000 {
		return ""
	}
	return u.String()
}

func pullURL(repo promotion.Repository, number int) string {
	return below(repo, "pull", strconv.Itoa(number))
}

func commitURL(repo promotion.Repository, commit string) string {
	return below(repo, "commit", commit)
}

// below is an address of the repository's own pages.
func below(repo promotion.Repository, parts ...string) string {
	base := page(repo.URL)
	if base == "" {
		return ""
	}
	for _, p := range parts {
		for segment := range strings.SplitSeq(p, "/") {
			base += "/" + url.PathEscape(segment)
		}
	}
	return base
}

// fileURL is the pipeline file's, where it is the repository's own.
func fileURL(s *promotion.Snapshot, file string) string {
	if file != config.Path {
		return ""
	}
	return below(s.Repository, "blob", cmp.Or(s.Repository.DefaultBranch, "HEAD"), file)
}

func lineURL(file string, line int) string {
	if file == "" || line <= 0 {
		return file
	}
	return file + "#L" + strconv.Itoa(line)
}
