package config

// The shapes of the language's scalars: what each may be, and how it is refused.

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"
	"go.yaml.in/yaml/v3"

	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/content/edit"
)

const namePattern = `^[a-z0-9][a-z0-9-]{0,39}$`

var (
	nameRegexp     = regexp.MustCompile(namePattern)
	kindRegexp     = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,62}$`)
	loginRegexp    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,99}(?:\[bot\])?$`)
	reviewerRegexp = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,99}(?:\[bot\]|/[A-Za-z0-9._-]{1,100})?$`)
)

var nameShape = scalar("a name", textType, schema{"type": "string", "pattern": namePattern},
	func(s string) (string, *refusal) {
		if !nameRegexp.MatchString(s) {
			return "", refuse("use at most 40 of a-z, 0-9 and -, beginning with a letter or digit", "%s is no name", clip(s))
		}
		return s, nil
	})

// oneOf is the shape of a text out of a few.
func oneOf(words ...string) shape[said[string]] {
	return scalar(strings.Join(words, " or "), textType, schema{"type": "string", "enum": anys(words)},
		func(s string) (string, *refusal) {
			if slices.Contains(words, s) {
				return s, nil
			}
			remedy := "write " + strings.Join(words, " or ")
			if near := nearest(s, words); near != "" {
				remedy = "did you mean " + near + "? " + remedy
			}
			if len(words) == 1 {
				return "", refuse(remedy, "%s is not %s", clip(s), words[0])
			}
			return "", refuse(remedy, "%s is not one of %s", clip(s), strings.Join(words, ", "))
		})
}

func anys(words []string) []any {
	out := make([]any, len(words))
	for i, w := range words {
		out[i] = w
	}
	return out
}

// convert makes the shape of a typed value out of that of a text.
func convert[V any](s shape[said[string]], f func(string) V) shape[said[V]] {
	return shape[said[V]]{words: s.words, schema: s.schema, read: func(d *decoder, path string, n *yaml.Node) (said[V], bool) {
		v, ok := s.read(d, path, n)
		if !ok {
			return said[V]{}, false
		}
		return said[V]{position: v.position, value: f(v.value)}, true
	}}
}

var modeShape = convert(oneOf("observe", "propose", "auto"), func(s string) Mode {
	return map[string]Mode{"observe": Observe, "propose": Propose, "auto": Auto}[s]
})

var startShape = convert(oneOf("now", "reconcile"), func(s string) bool { return s == "reconcile" })

// rollbackShape is how far rollbacks go.
var rollbackShape = convert(oneOf("propose", "auto"), func(s string) Mode {
	return map[string]Mode{"propose": Propose, "auto": Auto}[s]
})

var kindShape = convert(oneOf("create", "delete", "downgrade", "drift", "leak", "large"),
	func(s string) content.Kind { return content.Kind(s) })

var boolShape = scalar(string(boolType), boolType, schema{"type": "boolean"},
	func(s string) (bool, *refusal) { return strings.EqualFold(s, "true"), nil })

// number is the shape of a count from one up to a bound.
func number(most int) shape[said[int]] {
	const least = 1
	between := "a number from " + strconv.Itoa(least) + " to " + strconv.Itoa(most)
	if least == most {
		between = "the number " + strconv.Itoa(least)
	}
	return scalar(between, intType, schema{"type": "integer", "minimum": least, "maximum": most},
		func(s string) (int, *refusal) {
			// The core schema writes octal 0o17; 017 is seventeen.
			base, digits := 10, strings.TrimPrefix(s, "+")
			if rest, ok := strings.CutPrefix(digits, "0x"); ok {
				base, digits = 16, rest
			} else if rest, ok := strings.CutPrefix(digits, "0o"); ok {
				base, digits = 8, rest
			}
			n, err := strconv.ParseInt(digits, base, 32)
			if err != nil || int(n) < least || int(n) > most {
				return 0, refuse("write "+between, "%s is not %s", s, between)
			}
			return int(n), nil
		})
}

// text is the shape of a text with a check.
func text(words string, most int, check func(string) *refusal) shape[said[string]] {
	return scalar(words, textType, schema{"type": "string", "minLength": 1, "maxLength": most},
		func(s string) (string, *refusal) {
			if strings.TrimSpace(s) == "" {
				return "", refuse("write "+words, "the text is empty")
			}
			if n := utf8.RuneCountInString(s); n > most {
				return "", refuse("shorten it", "%d characters are too many; at most %d", n, most)
			}
			if check != nil {
				if bad := check(s); bad != nil {
					return "", bad
				}
			}
			return s, nil
		})
}

// templated is the shape of a text with $variables; the check sees the text as
// written.
func templated(words string, check func(string) *refusal) shape[said[pathTemplate]] {
	return scalar(words, textType, schema{"type": "string", "minLength": 1},
		func(s string) (pathTemplate, *refusal) {
			if bad := check(s); bad != nil {
				return pathTemplate{}, bad
			}
			return parseTemplate(s)
		})
}

// matchTemplate reads a regular expression. Its dollars are mostly ends of
// lines, so only $env and the names of for_each count as variables, which is
// settled once the pipeline is read (see settleMatch).
var matchTemplate = scalar("a regular expression with one group", textType, schema{"type": "string", "minLength": 1},
	func(s string) (pathTemplate, *refusal) { return pathTemplate{text: s}, checkMatch(s) })

func checkGlob(s string) *refusal {
	if bad := checkPath(s, true); bad != nil {
		return bad
	}
	if !doublestar.ValidatePattern(s) {
		return refuse("close its brackets, or put a backslash before a bracket that is meant", "%s is no glob", clip(s))
	}
	// Each alternation doubles the work of a glob that does not match.
	if strings.Count(s, "{") > 4 || strings.Count(s, "**") > 4 {
		return refuse("use several globs in a list", "%s has more than four alternations or **", clip(s))
	}
	return nil
}

func checkValuePath(s string) *refusal {
	_, err := parseValuePath(s)
	if err == nil {
		_, err = edit.ParsePattern(s) // who follows the path has the last word
	}
	if err != nil {
		return refuse("write keys joined by dots, as image.tag or containers.web.image", "%s is no value path: %s", clip(s), err)
	}
	return nil
}

func checkImage(s string) *refusal {
	if strings.ContainsAny(s, " \t\n") || !doublestar.ValidatePattern(s) {
		return refuse(`write an image's name without tag, as ghcr.io/acme/*`, "%s is no image name", clip(s))
	}
	if at := strings.LastIndexAny(s, ":@"); at > strings.LastIndex(s, "/") {
		return refuse("leave out the tag and digest: they are what moves", "%s names a tag or digest", clip(s))
	}
	return nil
}

// checkMatch wants exactly one group, since that is what moves.
func checkMatch(s string) *refusal {
	re, err := regexp.Compile(s)
	if err != nil {
		return refuse("write a regular expression (RE2 syntax)", "%s is no regular expression: %s", clip(s), strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	if n := re.NumSubexp(); n != 1 {
		return refuse("put the part that moves, and only that, in ( ); use (?: ) for other groups", "%s has %d groups, not one", clip(s), n)
	}
	return nil
}

func checkLabel(s string) *refusal {
	if strings.ContainsAny(s, "\n\r,") {
		return refuse("write one label without commas", "%s is no label", clip(s))
	}
	return nil
}

// matching is a check by a regular expression.
func matching(re *regexp.Regexp, remedy, what string) func(string) *refusal {
	return func(s string) *refusal {
		if !re.MatchString(s) {
			return refuse(remedy, "%s is no %s", clip(s), what)
		}
		return nil
	}
}

// place is a template of a path, or one per environment.
type place struct {
	position
	all pathTemplate
	by  []named[said[pathTemplate]]
}

func (p place) varies() bool { return p.by != nil || p.all.has(envVariable) }

// in is the template for an environment; false when the map names none.
func (p place) in(env string) (pathTemplate, position, bool) {
	if p.by == nil {
		return p.all, p.position, true
	}
	for _, n := range p.by {
		if n.name.value == env {
			return n.value.value, n.value.position, true
		}
	}
	return pathTemplate{}, p.position, false
}

// templates are all of a place's templates with where they stand.
func (p place) templates() []said[pathTemplate] {
	if p.by == nil {
		return []said[pathTemplate]{{position: p.position, value: p.all}}
	}
	out := make([]said[pathTemplate], 0, len(p.by))
	for _, n := range p.by {
		out = append(out, n.value)
	}
	return out
}

func placeShape(words string) shape[place] {
	return perEnvironment(words, "a path", templated(words, func(s string) *refusal { return checkPath(s, false) }))
}

// perEnvironment is the shape of one template for all environments, or one for each.
func perEnvironment(words, what string, one shape[said[pathTemplate]]) shape[place] {
	many := mapOf(what, nameShape, one)
	return shape[place]{
		words:  words + ", or a mapping from environment to such " + what,
		schema: func(g *schemas) schema { return schema{"anyOf": []any{one.schema(g), many.schema(g)}} },
		read: func(d *decoder, path string, n *yaml.Node) (place, bool) {
			if deref(n).Kind == yaml.MappingNode {
				m, ok := many.read(d, path, n)
				return place{position: m.position, by: m.value}, ok
			}
			t, ok := one.read(d, path, n)
			return place{position: t.position, all: t.value}, ok
		},
	}
}

// checkNever accepts what is a glob of files, a value path, or kind: and a
// Kubernetes kind.
func checkNever(s string) *refusal {
	if kind, ok := strings.CutPrefix(s, "kind:"); ok {
		if !kindRegexp.MatchString(kind) {
			return refuse("write a Kubernetes kind, as kind:SealedSecret", "%s names no kind", clip(s))
		}
		return nil
	}
	if neverOfFiles(s) {
		return checkGlob(s)
	}
	return checkValuePath(s)
}
