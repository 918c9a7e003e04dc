package content

// What can be read as a version, and which of two is older.

import (
	"regexp"
	"strings"

	"golang.org/x/mod/semver"
)

// versionText is two or three numbers with what semver lets follow, a leading v
// being optional: 1.42.0, v1.2, 2.0.0-rc.1, 1.4-alpine.
var versionText = regexp.MustCompile(`^v?(\d+\.\d+(?:\.\d+)?)((?:[-+][0-9A-Za-z.+_-]*)?)$`)

// canonical is text in the form that semver compares; "" when it is no version.
func canonical(text string) string {
	m := versionText.FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	core := strings.Split(m[1], ".")
	for i, c := range core {
		if c = strings.TrimLeft(c, "0"); c == "" {
			c = "0"
		}
		core[i] = c
	}
	if len(core) == 2 {
		core = append(core, "0")
	}
	v := "v" + strings.Join(core, ".") + strings.ReplaceAll(m[2], "_", "-")
	if !semver.IsValid(v) {
		return ""
	}
	return v
}

// isDowngrade reports whether both are versions and after is the older one.
func isDowngrade(now, after string) bool {
	a, b := canonical(now), canonical(after)
	return a != "" && b != "" && semver.Compare(b, a) < 0
}

var (
	rangeText = regexp.MustCompile(`^\s*(?:[~^<>=!]+\s*v?[0-9*xX]|v?[0-9]+(?:\.[0-9]+)?\.[xX*](?:\W|$)|[*xX]$)|\|\||^\s*v?[0-9][0-9.]* - v?[0-9]`)
	names     = map[string]bool{"latest": true, "head": true, "main": true, "master": true, "stable": true, "edge": true, "nightly": true}
)

// Moving reports whether a value is a range or a name that means another
// version every day (>=1.0.0-alpha, 1.x, ~1.2, latest, HEAD, main): promoting
// it promotes nothing that was verified.
func Moving(text string) bool {
	return rangeText.MatchString(text) || names[strings.ToLower(strings.TrimPrefix(strings.TrimSpace(text), "refs/heads/"))]
}

// versionPair is a version that became another one.
type versionPair struct{ from, to string }

// oneVersion returns the pair when there is exactly one.
func oneVersion(pairs []versionPair) versionPair {
	var one versionPair
	for _, p := range pairs {
		if one != (versionPair{}) && one != p {
			return versionPair{}
		}
		one = p
	}
	return one
}

var (
	versionKey   = regexp.MustCompile(`(?i)(image|tag|version|revision|chart|release)["']?\s*[:=]`)
	versionRunes = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-+_"
)

// valueVersions are the versions that a value was and becomes: it is one, or an
// image whose tag is one.
func valueVersions(now, after string) versionPair {
	if canonical(now) != "" && canonical(after) != "" {
		return versionPair{now, after}
	}
	image, from, ok := cutTag(now)
	same, to, both := cutTag(after)
	if ok && both && image == same && canonical(from) != "" && canonical(to) != "" {
		return versionPair{from, to}
	}
	return versionPair{}
}

// cutTag splits an image's name from its tag.
func cutTag(text string) (image, tag string, ok bool) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 || strings.ContainsAny(text[i:], "/@") || strings.ContainsAny(text, " \t\n") {
		return "", "", false
	}
	return text[:i], text[i+1:], true
}

// lineVersions finds the version that changed between two lines, when that is
// all that changed. A number with one dot counts only where the line says that
// it is a version, or behind an image's colon.
func lineVersions(now, after string) (versionPair, bool) {
	start := 0
	for start < len(now) && start < len(after) && now[start] == after[start] {
		start++
	}
	end := 0
	for end < len(now)-start && end < len(after)-start && now[len(now)-1-end] == after[len(after)-1-end] {
		end++
	}
	for start > 0 && strings.IndexByte(versionRunes, now[start-1]) >= 0 {
		start--
	}
	for end > 0 && strings.IndexByte(versionRunes, now[len(now)-end]) >= 0 {
		end--
	}
	p := versionPair{now[start : len(now)-end], after[start : len(after)-end]}
	if canonical(p.from) == "" || canonical(p.to) == "" {
		return versionPair{}, false
	}
	behindColon := start > 0 && (now[start-1] == ':' || now[start-1] == '@')
	short := strings.Count(p.from, ".") < 2 || strings.Count(p.to, ".") < 2
	return p, !short || behindColon || versionKey.MatchString(now[:start])
}
