package main

// Loading: defaults, then the file, then the environment, then the files that
// secrets stand in, then the checks. All problems are collected, so that they can
// be mended in one go.

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxConfigFile and maxSecretFile are far above what anybody writes.
const (
	maxConfigFile = 1 << 20
	maxSecretFile = 64 << 10
)

// loader collects settings, where each was said, and what is wrong.
type loader struct {
	config   Config
	settings []setting
	file     string            // as the user wrote it, for messages
	said     map[string]string // setting (or its _file) → where: "config.yml:3:5" or a variable's name
	files    map[string]string // secret → the file it stands in
	problems []error
}

// loadConfig reads the file at path (none if path is "") and the environment, as
// of os.Environ. Warnings are about variables that look like settings and are
// not; they are not refused, since Kubernetes makes such ones for a Service
// called promobot.
func loadConfig(path string, environ []string) (config Config, warnings []string, err error) {
	l := &loader{config: defaultConfig(), file: path, said: map[string]string{}, files: map[string]string{}}
	l.settings = settings(&l.config)
	if path != "" {
		l.readFile()
	}
	warnings = l.readEnvironment(environ)
	l.readSecretFiles()
	if len(l.problems) == 0 {
		l.check() // of what was misread there is nothing more to say
	}
	if len(l.problems) > 0 {
		return Config{}, warnings, errors.Join(l.problems...)
	}
	return l.config, warnings, nil
}

func (l *loader) problem(where, format string, args ...any) {
	l.problems = append(l.problems, fmt.Errorf("%s: %w", where, fmt.Errorf(format, args...)))
}

func (l *loader) at(n *yaml.Node) string { return fmt.Sprintf("%s:%d:%d", l.file, n.Line, n.Column) }

func (l *loader) readFile() {
	content, err := readBounded(l.file, maxConfigFile)
	if err != nil {
		l.problems = append(l.problems, fmt.Errorf("the configuration cannot be read: %w", err))
		return
	}
	decoder := yaml.NewDecoder(strings.NewReader(content))
	var document, second yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return // nothing but comments
	case err != nil:
		l.problem(l.file, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		l.problem(l.file, "the file holds more than one document; remove what is after the line ---")
		return
	}
	l.readMapping("", document.Content[0])
}

// readMapping reads the keys below prefix.
func (l *loader) readMapping(prefix string, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return // a heading with everything below it commented out
	}
	if n.Kind != yaml.MappingNode {
		name := prefix
		if name == "" {
			name = "the file"
		}
		l.problem(l.at(n), "%s has to be a mapping of settings (key: value)", name)
		return
	}
	known := l.keysBelow(prefix)
	if prefix == "" {
		known = append(known, notificationsKey)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := join(prefix, key.Value)
		switch {
		case !slices.Contains(known, key.Value):
			l.problem(l.at(key), "there is no setting %s%s", name, meant(key.Value, known))
		case l.said[name] != "":
			l.problem(l.at(key), "%s was already said at %s; remove one of them", name, l.said[name])
		case l.isLeaf(name):
			l.readLeaf(name, key, value)
		case name == notificationsKey:
			l.said[name] = l.at(key)
			l.readNotifications(value)
		default:
			l.said[name] = l.at(key)
			l.readMapping(name, value)
		}
	}
}

func (l *loader) readLeaf(name string, key, value *yaml.Node) {
	l.said[name] = l.at(key)
	switch {
	case value.Kind == yaml.ScalarNode && value.Tag == "!!null":
		delete(l.said, name) // "key:" alone is as good as not said
	case value.Kind != yaml.ScalarNode:
		l.problem(l.at(value), "%s has to be a single value", name)
	default:
		l.set(name, value.Value, l.at(value))
	}
}

// set gives a setting, or the file of a secret, its value.
func (l *loader) set(name, text, where string) {
	for _, s := range l.settings {
		switch name {
		case s.name:
			if err := s.set(text); err != nil {
				l.problem(where, "%s: %w", name, err)
			}
		case s.name + fileSuffix:
			l.files[s.name] = text
		}
	}
}

// readEnvironment lets variables override the file. For a secret, either of its
// two variables replaces both of its keys.
func (l *loader) readEnvironment(environ []string) (warnings []string) {
	variables := map[string]string{}
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok && strings.HasPrefix(name, envPrefix) {
			variables[name] = value
		}
	}
	var known []string
	for _, s := range l.settings {
		names := []string{s.name}
		if s.secret() {
			names = append(names, s.name+fileSuffix)
		}
		var given []string
		for _, name := range names {
			variable := setting{name: name}.env()
			known = append(known, variable)
			if _, ok := variables[variable]; ok {
				given = append(given, name)
			}
		}
		if len(given) == 0 {
			continue
		}
		for _, name := range names {
			delete(l.said, name)
		}
		delete(l.files, s.name)
		for _, name := range given {
			variable := setting{name: name}.env()
			l.said[name] = variable
			l.set(name, variables[variable], variable)
		}
	}
	for name := range variables {
		if !slices.Contains(known, name) {
			warnings = append(warnings, name+" is not a setting of promobot"+meant(name, known))
		}
	}
	slices.Sort(warnings)
	return warnings
}

// readSecretFiles reads the files that were named for secrets. One line end at a
// file's end is not part of the secret.
func (l *loader) readSecretFiles() {
	for _, s := range l.settings {
		path, ok := l.files[s.name]
		if !ok {
			continue
		}
		where := l.said[s.name+fileSuffix]
		if direct := l.said[s.name]; direct != "" {
			l.problem(where, "%s and %s%s (%s) are both given; remove one of them", s.name, s.name, fileSuffix, direct)
			continue
		}
		content, err := readBounded(path, maxSecretFile)
		if err != nil {
			l.problem(where, "%s%s: %w", s.name, fileSuffix, err)
			continue
		}
		content = strings.TrimSuffix(strings.TrimSuffix(content, "\n"), "\r")
		if content == "" {
			l.problem(where, "%s%s: %s is empty", s.name, fileSuffix, path)
			continue
		}
		l.said[s.name] = where
		if err := s.set(content); err != nil {
			l.problem(where, "%s: %w", s.name, err)
		}
	}
}

// keysBelow lists the keys that a mapping at prefix may have.
func (l *loader) keysBelow(prefix string) []string {
	var keys []string
	add := func(name string) {
		rest := name
		if prefix != "" {
			var below bool
			if rest, below = strings.CutPrefix(name, prefix+"."); !below {
				return
			}
		}
		key, _, _ := strings.Cut(rest, ".")
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	for _, s := range l.settings {
		add(s.name)
		if s.secret() {
			add(s.name + fileSuffix)
		}
	}
	return keys
}

func (l *loader) isLeaf(name string) bool {
	return slices.ContainsFunc(l.settings, func(s setting) bool {
		return s.name == name || s.secret() && s.name+fileSuffix == name
	})
}

func join(prefix, key string) string {
	if prefix == "" {
		return key
	}
	return prefix + "." + key
}

// readBounded reads a whole file of at most so many bytes.
func readBounded(path string, most int64) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return "", err
	}
	if int64(len(content)) > most {
		return "", fmt.Errorf("%s is longer than %d bytes", path, most)
	}
	return string(content), nil
}

// meant is "; did you mean …?" for the nearest of the known words, or all of
// them when none is near and they are few.
func meant(word string, known []string) string {
	best, least := "", max(2, len(word)/4)+1
	for _, candidate := range known {
		if d := edits(strings.ToLower(word), strings.ToLower(candidate)); d < least {
			best, least = candidate, d
		}
	}
	switch {
	case best != "":
		return "; did you mean " + best + "?"
	case len(known) <= 12:
		return "; known here: " + strings.Join(known, ", ")
	}
	return ""
}

// edits is the number of letters to insert, delete or replace to make b of a.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
