package config

// What is in force for an environment and who said so, as text for people.

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Explain prints the effective settings of one environment of one pipeline, each
// with the line of the file it comes from, as an aligned table. pipeline is a
// pipeline's key, or its title where only one has it. The error says which
// names there are.
func Explain(file string, pipelines []Pipeline, pipeline, env string) (string, error) {
	p, err := findPipeline(pipelines, pipeline)
	if err != nil {
		return "", err
	}
	at := slices.IndexFunc(p.Environments, func(e Environment) bool { return e.Name == env })
	if at < 0 {
		names := make([]string, len(p.Environments))
		for i, e := range p.Environments {
			names[i] = e.Name
		}
		return "", fmt.Errorf("pipeline %s has no environment %s here; it has %s%s", p.Key, clip(env), strings.Join(names, ", "), meant(env, names))
	}
	e := &p.Environments[at]
	var out strings.Builder
	fmt.Fprintf(&out, "%s, environment %s (%s)\n", printable(p.Key), e.Name, file)
	if e.Blocked != "" {
		fmt.Fprintf(&out, "Blocked: %s.\n", printable(e.Blocked))
	}
	rows := [][3]string{{"setting", "value", "said at"}}
	for _, s := range e.Settings {
		from := "default"
		if s.From.Line > 0 {
			from = fmt.Sprintf("line %d, %s", s.From.Line, s.From.What)
		}
		rows = append(rows, [3]string{s.Key, printable(s.Value), from})
	}
	// A long value is not let to push the last column out of sight.
	const widest = 60
	var width [2]int
	for _, r := range rows {
		for i := range width {
			if n := utf8.RuneCountInString(r[i]); n <= widest {
				width[i] = max(width[i], n)
			}
		}
	}
	out.WriteByte('\n')
	for _, r := range rows {
		if utf8.RuneCountInString(r[1]) > widest {
			fmt.Fprintf(&out, "%-*s  %s\n%-*s  %-*s  %s\n", width[0], r[0], r[1], width[0], "", width[1], "", r[2])
			continue
		}
		fmt.Fprintf(&out, "%-*s  %-*s  %s\n", width[0], r[0], width[1], r[1], r[2])
	}
	return out.String(), nil
}

// findPipeline finds a pipeline by key, or by title where that is unique.
func findPipeline(pipelines []Pipeline, name string) (*Pipeline, error) {
	var titled []string
	var found *Pipeline
	keys := make([]string, 0, len(pipelines))
	for i := range pipelines {
		p := &pipelines[i]
		if p.Key == name {
			return p, nil
		}
		keys = append(keys, p.Key)
		if p.Title == name {
			titled = append(titled, p.Key)
			found = p
		}
	}
	switch len(titled) {
	case 1:
		return found, nil
	case 0:
		const most = 10
		shown := keys
		if len(keys) > most {
			shown = append(slices.Clone(keys[:most]), fmt.Sprintf("and %d more", len(keys)-most))
		}
		return nil, fmt.Errorf("there is no pipeline %s here; there are %s%s", clip(name), strings.Join(shown, ", "), meant(name, keys))
	default:
		return nil, fmt.Errorf("several pipelines are called %s: name one of %s", clip(name), strings.Join(titled, ", "))
	}
}

func meant(word string, known []string) string {
	if near := nearest(word, known); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}

// printable makes a text one line without control characters, which a terminal
// would obey.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '�'
		}
		return r
	}, s)
}
