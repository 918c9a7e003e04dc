package config

// Parse reads a pipeline file and checks all that can be checked without the
// repository's files; resolve.go goes on with them.

import "go.yaml.in/yaml/v3"

// Example is a smallest pipeline file that does something, to paste.
const Example = `version: 1
mode: observe            # says what it would do; then propose, then auto
environments:
  staging:    {verify: none}
  production: {from: staging}
pipelines:
  app:
    path: envs/$env
    promote:
      - images: "*"
`

// Missing is what to tell people of a repository that has no pipeline file.
const Missing = "There is no " + Path + " on the default branch, so nothing is promoted here. A smallest one is:\n\n```yaml\n" + Example + "```\n"

// File is a valid pipeline file. It is never changed after Parse and may be
// used from several goroutines.
type File struct {
	name    string
	doc     document
	layouts []*layout
	shared  []string
	never   []string
}

// Parse reads a pipeline file; name is its path for the problems, such as
// .github/promobot.yml. It gives either a file or all of its problems.
func Parse(name string, src []byte) (*File, Problems) {
	d := &decoder{file: name}
	root := load(d, src)
	if root == nil {
		return nil, d.finish()
	}
	doc, ok := object("", "", false, documentFields()).read(d, "", root)
	f := &File{name: name, doc: doc}
	f.validate(d, ok)
	if problems := d.finish(); len(problems) > 0 {
		return nil, problems
	}
	f.shared = values(doc.shared.value)
	f.never = f.nevers()
	return f, nil
}

// The limits of a file that names none.
const (
	defaultOpen           = 20
	defaultPerHour        = 30
	defaultPerEnvironment = 8
)

// Limits are the file's limits with their defaults.
func (f *File) Limits() Limits {
	l := f.doc.limits
	return Limits{
		Open:           l.open.or(defaultOpen),
		PerHour:        l.perHour.or(defaultPerHour),
		PerEnvironment: l.perEnvironment.or(defaultPerEnvironment),
	}
}

// Mode is the file's ceiling: Auto where it names none.
func (f *File) Mode() Mode { return f.doc.mode.or(Auto) }

// ChecksEveryPullRequest says whether pull requests that change nothing
// promobot looks at get a check run too (`checks: all`).
func (f *File) ChecksEveryPullRequest() bool { return f.doc.checks.value == "all" }

// Name is the file's path as given to Parse.
func (f *File) Name() string { return f.name }

// EnvironmentNames are the file's environments in its order.
func (f *File) EnvironmentNames() []string {
	var out []string
	for _, e := range f.doc.environments.value {
		out = append(out, e.name.value)
	}
	return out
}

// SharedGlobs are the globs under shared; none means that what is shared is to
// be found by [SharedFromKustomizations].
func (f *File) SharedGlobs() []string { return f.shared }

// Shared says whether a repository path lies under one of the globs of shared. A
// glob that names a folder covers what is in it.
func (f *File) Shared(path string) bool {
	for _, g := range f.shared {
		if matchGlob(g, path) || matchGlob(g+"/**", path) {
			return true
		}
	}
	return false
}

// or is the value, or the default where none was said.
func (s said[V]) or(fallback V) V {
	if s.said() {
		return s.value
	}
	return fallback
}

// pipelineEnvironments is the key of a pipeline that takes a list of names or a
// mapping of settings.
func pipelineEnvironments() field[pipelineSpec] {
	names := listOf(nameShape)
	return field[pipelineSpec]{
		name: "environments", words: "names of environments, or a mapping from environment to its settings here", fallback: "all of the file's",
		rule: "a list: the pipeline has only these. A mapping: settings that count here instead of the environment's own (the lowest `mode` counts; labels, assignees and reviewers are added)",
		schema: func(g *schemas) schema {
			return schema{"anyOf": []any{names.schema(g), ownShape.schema(g)}}
		},
		read: func(d *decoder, path string, n *yaml.Node, p *pipelineSpec) {
			if deref(n).Kind == yaml.MappingNode {
				p.own, _ = ownShape.read(d, path, n)
				return
			}
			p.only, _ = names.read(d, path, n)
			if p.only.said() && len(deref(n).Content) == 0 && deref(n).Kind == yaml.SequenceNode {
				d.at(n, path+" is an empty list", "name at least one environment, or leave the key out for all")
			}
		},
	}
}
