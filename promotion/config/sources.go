package config

// Sources: what brings new versions to an environment that comes from no other.
//
// Rules: a version can fill values, images and matches, and no files; the
// repository of a source is a plain name, so that it is known from the file
// alone; a source's patterns may hold the names of for_each, since one
// repository often has the tags of many services. Where another tool writes
// (managed: elsewhere), promobot learns what runs by the source and writes never.

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// sourceSpec is `source`.
type sourceSpec struct {
	position
	release, tag    said[string]
	dispatch        said[pathTemplate]
	pattern, prefix said[pathTemplate]
	version         said[string]
	prereleases     said[bool]
}

var repositoryRegexp = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,99}/[A-Za-z0-9._-]{1,100}$`)

var (
	repositoryShape = text("a repository, as owner/app", 201, func(s string) *refusal {
		if _, name, _ := strings.Cut(s, "/"); !repositoryRegexp.MatchString(s) || name == "." || name == ".." {
			return refuse("write owner/name, as acme/app, without an address around it", "%s is no repository", clip(s))
		}
		return nil
	})
	// A type has at most 100 characters ("Create a repository dispatch event",
	// REST API documentation).
	dispatchShape = templated("an event_type", checkWord("an event_type", 100))
	tagShape      = templated("a glob of tags, as v*", func(s string) *refusal {
		if bad := checkWord("a glob of tags", 200)(s); bad != nil {
			return bad
		}
		if !doublestar.ValidatePattern(s) {
			return refuse("close its brackets", "%s is no glob", clip(s))
		}
		return nil
	})
	prefixShape = templated("the beginning of a tag's name, as v", checkWord("a prefix", 100))
	// Keys of a payload hold dots themselves, so quotes around one are not needed.
	payloadShape = scalar("a path in the client_payload, keys joined by dots", textType, schema{"type": "string", "minLength": 1, "maxLength": 300},
		func(s string) (string, *refusal) {
			const remedy = "write keys joined by dots, as version or metadata.revision"
			if len(s) > 300 || strings.Contains(s, "*") {
				return "", refuse(remedy, "%s names no one value", clip(s))
			}
			raw, err := splitValuePath(s)
			if err != nil {
				return "", refuse(remedy, "%s is no path in a payload: %s", clip(s), err)
			}
			for i, k := range raw {
				raw[i] = strings.Trim(k, `"'`)
				if strings.TrimSpace(raw[i]) == "" {
					return "", refuse(remedy, "%s is no path in a payload: it has an empty key", clip(s))
				}
			}
			return strings.Join(raw, "."), nil
		})
	managedShape = convert(oneOf("elsewhere"), func(string) bool { return true })
)

// checkWord refuses what is long, empty, or has spaces or control characters.
func checkWord(what string, most int) func(string) *refusal {
	return func(s string) *refusal {
		if s == "" || len(s) > most || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			return refuse(fmt.Sprintf("write at most %d characters without spaces", most), "%s is not %s", clip(s), what)
		}
		return nil
	}
}

func sourceShape() shape[sourceSpec] {
	return object("source", "What brings new versions: a release, a tag or a dispatch.", false, sourceFields())
}

func sourceFields() []field[sourceSpec] {
	return []field[sourceSpec]{
		key("release", repositoryShape, "", "releases of this repository, drafts never",
			func(s *sourceSpec) *said[string] { return &s.release }),
		key("tag", repositoryShape, "", "tags of this repository that are semantic versions",
			func(s *sourceSpec) *said[string] { return &s.tag }),
		key("dispatch", dispatchShape, "", "a `repository_dispatch` of this `event_type` in this repository; may hold `$env` and the names of for_each",
			func(s *sourceSpec) *said[pathTemplate] { return &s.dispatch }),
		key("version", payloadShape, "required with dispatch", "where the version stands in the `client_payload`",
			func(s *sourceSpec) *said[string] { return &s.version }),
		key("pattern", tagShape, "all", "with release and tag: only tags that match; may hold `$env` and the names of for_each, as `$name-v*`",
			func(s *sourceSpec) *said[pathTemplate] { return &s.pattern }),
		key("prefix", prefixShape, "none", "what is cut off from the name to make the version that is promoted: with `v`, v1.2.3 is promoted as 1.2.3",
			func(s *sourceSpec) *said[pathTemplate] { return &s.prefix }),
		key("prereleases", boolShape, "false", "true: pre-releases count too",
			func(s *sourceSpec) *said[bool] { return &s.prereleases }),
	}
}

// source and managed are the pipeline's own where it has them.
func (e *environmentLayout) source() *sourceSpec {
	if e.own.source.said() {
		return &e.own.source
	}
	return &e.file.source
}

func (e *environmentLayout) managed() said[bool] { return prefer(e.own.managed, e.file.managed) }

// sourceAt is where the source was said.
func (e *environmentLayout) sourceAt(group string) string {
	if e.own.source.said() {
		return "pipelines." + group + ".environments." + e.name.value + ".source"
	}
	return "environments." + e.name.value + ".source"
}

// Sources are the repositories whose releases and tags bring versions, as
// owner/name, sorted, each once.
func (f *File) Sources() []string {
	var out []string
	for _, l := range f.layouts {
		for _, e := range l.environments {
			for _, r := range []said[string]{e.source().release, e.source().tag} {
				if r.said() {
					out = append(out, r.value)
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// fill makes the source of one pipeline's environment.
func (s *sourceSpec) fill(b binding) *VersionSource {
	v := &VersionSource{
		Pattern:    s.pattern.value.fill(b, escapeGlob),
		Prefix:     s.prefix.value.fill(b, plain),
		Prerelease: s.prereleases.value,
		Version:    s.version.value,
		Line:       s.line,
	}
	switch {
	case s.release.said():
		v.Kind, v.Repository = Release, s.release.value
	case s.tag.said():
		v.Kind, v.Repository = Tag, s.tag.value
	default:
		v.Kind, v.Type = Dispatch, s.dispatch.value.fill(b, plain)
	}
	return v
}

// describe is a source in one line.
func (v *VersionSource) describe() string {
	s := string(v.Kind) + " " + v.Repository + v.Type
	if v.Version != "" {
		s += ", version at " + v.Version
	}
	if v.Pattern != "" {
		s += ", tags " + v.Pattern
	}
	if v.Prefix != "" {
		s += ", without prefix " + v.Prefix
	}
	if v.Prerelease {
		s += ", pre-releases too"
	}
	return s
}

// checkSourceKeys checks each source of the file by itself.
func (f *File) checkSourceKeys(d *decoder) {
	for _, e := range f.doc.environments.value {
		e.value.source.check(d, "environments."+e.name.value+".source")
	}
	for _, p := range f.doc.pipelines.value {
		for _, e := range p.value.own.value {
			e.value.source.check(d, "pipelines."+p.name.value+".environments."+e.name.value+".source")
		}
	}
}

// check refuses a source whose keys do not belong together.
func (s *sourceSpec) check(d *decoder, at string) {
	if !s.said() {
		return
	}
	var has []string
	for _, k := range []struct {
		key string
		at  position
	}{{"release", s.release.position}, {"tag", s.tag.position}, {"dispatch", s.dispatch.position}} {
		if k.at.said() {
			has = append(has, k.key)
		}
	}
	if len(has) != 1 {
		what := "names none of release, tag, dispatch"
		if len(has) > 1 {
			what = "names " + strings.Join(has, " and ")
		}
		d.add(s.line, s.column, at+" "+what, "let it name exactly one, as source: {release: acme/app}")
		return
	}
	switch dispatch := has[0] == "dispatch"; {
	case dispatch && s.pattern.said():
		d.add(s.pattern.line, s.pattern.column, at+".pattern does not go with dispatch", "remove it; pattern goes with release and tag")
	case dispatch && !s.version.said():
		d.add(s.line, s.column, at+".version is missing", "add version: the keys in the client_payload at which the version stands, as version: metadata.revision")
	case !dispatch && s.version.said():
		d.add(s.version.line, s.version.column, at+".version does not go with "+has[0], "remove it; version goes with dispatch")
	}
}

// checkSources refuses sources where nothing can come of them.
func (l *layout) checkSources(d *decoder) {
	at := "pipelines." + l.group.value
	for _, e := range l.environments {
		name, s := e.name.value, e.source()
		if e.managed().value {
			l.checkManaged(d, e)
		}
		for _, up := range e.from {
			if u := l.get(up); u != nil && u.managed().value && len(e.from) > 1 {
				from := prefer(e.own.from, e.file.from)
				d.once(from.position, fmt.Sprintf("%s comes from %s, and %s is managed elsewhere: its version is all that is known of it, which is never equal to what others hold", name, strings.Join(e.from, ", "), up),
					"let "+name+" come from "+up+" alone, or not from it")
			}
		}
		if !s.said() {
			continue
		}
		if from := prefer(e.own.from, e.file.from); len(from.value) > 0 {
			d.once(s.position, fmt.Sprintf("%s has a source and comes from %s (line %d): only a first environment has a source", name, strings.Join(values(from.value), ", "), from.line),
				"remove the source, or from")
		}
		before := len(d.problems) + d.more
		for _, t := range []said[pathTemplate]{s.dispatch, s.pattern, s.prefix} {
			l.checkVariables(d, e.sourceAt(l.group.value), t)
		}
		if len(d.problems)+d.more > before {
			continue
		}
		for i, item := range l.spec.promote.value {
			if item.files.said() {
				d.once(item.position, fmt.Sprintf("%s.promote[%d] moves files, and %s has a source (line %d): a version cannot fill files", at, i, name, s.line),
					"promote values, images or match, or say the source under pipelines.<name>.environments of the pipelines it is for")
			}
		}
	}
}

// checkManaged refuses what means nothing where another tool writes.
func (l *layout) checkManaged(d *decoder, e *environmentLayout) {
	name := e.name.value
	if !e.source().said() {
		m := e.managed()
		d.once(m.position, name+" is managed elsewhere, and nothing says what runs there", "add source, as source: {dispatch: TYPE, version: PATH}")
	}
	for _, c := range []struct {
		*environmentSpec
		at string
	}{{&e.file, "environments." + name}, {&e.own, "pipelines." + l.group.value + ".environments." + name}} {
		var verify position
		if c.verify.asks() {
			verify = c.verify.position // none says that its versions travel on as they are
		}
		for _, k := range []struct {
			key string
			at  position
		}{
			{"mode", c.mode.position},
			{"allow", c.allow.position},
			{"limits", c.limits.perEnvironment.position},
			{"batch", c.batch.position},
			{"deliver", c.deliver.position},
			{"merge", c.merge.position},
			{"method", c.method.position},
			{"newer", c.newer.position},
			{"commits", c.verified.position},
			{"branch", c.branch.position},
			{"on_failure", c.onFailure.position},
			{"rollback", c.rollback.position},
			{"window", c.window.position},
			{"approval", c.approval.position},
			{"right", c.right.position},
			{"verify", verify},
		} {
			if k.at.said() {
				d.once(k.at, fmt.Sprintf("%s.%s: %s is managed elsewhere, and promobot never writes there", c.at, k.key, name), "remove "+k.key+", or managed")
			}
		}
	}
}
