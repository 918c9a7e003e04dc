package config_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/config"
)

// base is a pipeline file of two environments to which cases add.
const base = `version: 1
environments:
  dev: {verify: none}
  prod: {from: dev}
pipelines:
  app:
    path: envs/$env
    promote: {images: "*"}
`

func parse(t *testing.T, src string) *config.File {
	t.Helper()
	f, problems := config.Parse(config.Path, []byte(src))
	if f == nil {
		t.Fatalf("refused:\n%s", describe(problems))
	}
	return f
}

func example(t *testing.T, name string) string {
	t.Helper()
	src, err := os.ReadFile("testdata/examples/" + name + ".yml")
	if err != nil {
		t.Fatal(err)
	}
	return string(src)
}

func TestAccepted(t *testing.T) {
	for name, src := range map[string]string{
		"the example that is shown": config.Example,
		"environment promotion":     example(t, "environment-promotion"),
		"monorepo":                  example(t, "monorepo"),
		"every way":                 example(t, "every-way"),
		"every key":                 example(t, "every-key"),
		"byte order mark":           "\xef\xbb\xbf" + base,
		"CRLF":                      strings.ReplaceAll(base, "\n", "\r\n"),
		"no final newline":          strings.TrimSuffix(base, "\n"),
		"a document's marks":        "---\n" + base + "...\n",
		"aliases":                   "version: 1\nenvironments:\n  dev: &x {verify: none}\n  qa: *x\n" + base[strings.Index(base, "pipelines"):],
		"names that YAML 1.1 reads as truths and numbers": "version: 1\nenvironments:\n  on: {verify: none}\n  no: {from: on}\n  007: {from: no}\n" + base[strings.Index(base, "pipelines"):],
		"a tagged text":         strings.Replace(base, "path: envs", "path: !!str envs", 1),
		"octal as YAML 1.2 has": base + "limits: {open: 010, per_hour: 0o10}\n",
	} {
		t.Run(name, func(t *testing.T) {
			if f, problems := config.Parse("p.yml", []byte(src)); f == nil {
				t.Errorf("refused:\n%s", describe(problems))
			}
		})
	}
}

func TestParseReadsValues(t *testing.T) {
	f := parse(t, base+"limits: {open: 010, per_hour: 0o10}\nmode: propose\nshared: [base/**, lib]\n")
	got := []any{f.Limits(), f.Mode(), f.EnvironmentNames(), f.SharedGlobs(), f.Name()}
	want := []any{config.Limits{Open: 10, PerHour: 8, PerEnvironment: 8}, config.Propose, []string{"dev", "prod"}, []string{"base/**", "lib"}, config.Path}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for path, want := range map[string]bool{"base/a/b.yaml": true, "lib/x": true, "lib": true, "library/x": false, "envs/dev/x": false} {
		if f.Shared(path) != want {
			t.Errorf("Shared(%q) is %v", path, !want)
		}
	}
	if f := parse(t, base); f.Mode() != config.Auto || f.Limits() != (config.Limits{Open: 20, PerHour: 30, PerEnvironment: 8}) {
		t.Errorf("defaults: %v %v", f.Mode(), f.Limits())
	}
}

// TestHostile are files made to cost time or memory; each is refused with one
// plain problem.
func TestHostile(t *testing.T) {
	var laughs strings.Builder
	laughs.WriteString("version: 1\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&laughs, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	var many, overrides strings.Builder
	for i := range 600 {
		fmt.Fprintf(&many, "  e%d: {}\n", i)
		fmt.Fprintf(&overrides, "  - {name: a%d, mode: observe}\n", i)
	}
	var circles strings.Builder
	for i := range 400 {
		fmt.Fprintf(&circles, "  e%d: {optional: true, verify: none, mode: auto, from: [%s]}\n", i, strings.Join(names("e", 400)[:i], ", "))
	}
	tail := base[strings.Index(base, "pipelines"):]
	cases := map[string]struct {
		src  []byte
		want string
	}{
		"empty":                  {nil, "1:1 the file is empty"},
		"spaces":                 {[]byte(" \n\n  \n"), "1:1 the file is empty"},
		"5 MB of YAML":           {bytes.Repeat([]byte("- a: [1, 2]\n"), 5<<20/12), "1:1 the file has 5242872 bytes; at most 1048576 are read"},
		"1 MB of list":           {bytes.Repeat([]byte("- a\n"), 1<<18), "100000:3 the file has more than 100000 values"},
		"1 MB of brackets":       {bytes.Repeat([]byte("["), 1<<20), "1:1 not valid YAML: exceeded max depth of 10000"},
		"1 MB of indentation":    {bytes.Repeat([]byte("- "), 1<<19), "1:1 not valid YAML: exceeded max depth of 10000"},
		"1 MB of comments":       {bytes.Repeat([]byte("#a\n"), 1<<20/3), "1:1 the file is empty"},
		"1 MB of keys":           {[]byte(strings.Join(names("k", 100_000), ": 1\n") + ": 1\n"), "50000:9 the file has more than 100000 values"},
		"billion laughs":         {[]byte(laughs.String()), "the file has more than 100000 values once its aliases are expanded"},
		"NUL":                    {[]byte("version: 1\n\x00"), "2:1 the file is not UTF-8 text"},
		"UTF-16":                 {[]byte("\xff\xfev\x00e\x00"), "1:1 the file is not UTF-8 text"},
		"Latin-1":                {[]byte("version: 1\nmode: \xe4uto\n"), "2:7 the file is not UTF-8 text"},
		"lone carriage returns":  {[]byte("version: 1\nmode: auto\rx: 1"), "2:11 the character U+000D ends a line for some"},
		"line separators":        {[]byte("version: 1\n# \u2028x"), "2:3 the character U+2028 ends a line for some"},
		"escape characters":      {[]byte("version: 1\nmode: \x1b[31mauto\n"), "2:7 the file is not UTF-8 text"},
		"too many environments":  {[]byte("version: 1\nenvironments:\n" + many.String() + tail), "3:3 600 environments are too many; at most 500"},
		"too many pipelines":     {[]byte(base[:strings.Index(base, "pipelines")] + "pipelines:\n" + strings.ReplaceAll(many.String(), "{}", `{path: a/$env, promote: {images: "*"}}`)), "6:3 600 pipelines are too many"},
		"too many overrides":     {[]byte(base + "overrides:\n" + overrides.String()), "10:3 600 overrides are too many"},
		"too many upstreams":     {[]byte("version: 1\nenvironments:\n" + circles.String() + tail), "environments.e21 names 21 environments; at most 20"},
		"a hundred problems":     {[]byte("version: 1\nenvironments:\n" + strings.ReplaceAll(many.String(), "{}", "{x: 1}") + tail), "and 500 more problems"},
		"a name that is a novel": {[]byte(base + strings.Repeat("x", 900) + ": 1\n"), "9:1 unknown key"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			f, problems := config.Parse("p.yml", c.src)
			if f != nil || len(problems) == 0 {
				t.Fatal("accepted")
			}
			if got := describe(problems); !strings.Contains(got, c.want) {
				t.Errorf("problems are\n%.2000s\nwant %s", got, c.want)
			}
			if took := time.Since(begin); took > time.Minute {
				t.Errorf("took %s", took)
			}
		})
	}
}

func names(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s%d", prefix, i)
	}
	return out
}

func TestProblemIsOneLine(t *testing.T) {
	_, problems := config.Parse(config.Path, []byte("version: 1\nmoed: \"a\x07b\"\n"+base[11:]))
	if len(problems) != 1 {
		t.Fatalf("problems: %v", problems)
	}
	_, problems = config.Parse(config.Path, []byte("version: 1\nmoed: x\n"+base[11:]))
	want := `.github/promobot.yml:2:1: unknown key "moed" in the file; did you mean mode? known here: version, mode, limits, environments, pipelines, shared, never, checks, windows, commands, overrides, start, labels, assignees, reviewers, title, body, deliver, merge, method, newer, commits, deployments`
	if got := problems[0].Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestMissingShowsAFileThatWorks(t *testing.T) {
	_, rest, _ := strings.Cut(config.Missing, "```yaml\n")
	src, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("no example in the text")
	}
	f := parse(t, src)
	pipelines, problems := f.Resolve(config.Tree{Paths: []string{"envs/production/kustomization.yaml", "envs/staging/kustomization.yaml"}})
	if len(problems) > 0 || len(pipelines) != 1 || len(pipelines[0].Environments) != 2 {
		t.Errorf("%v %v", pipelines, problems)
	}
	for _, e := range pipelines[0].Environments {
		if e.Mode != config.Observe || e.Blocked != "" {
			t.Errorf("%s: %v %q", e.Name, e.Mode, e.Blocked)
		}
	}
}

func TestInterval(t *testing.T) {
	for text, want := range map[string]time.Duration{"30m": 30 * time.Minute, "4h": 4 * time.Hour, "3d": 72 * time.Hour, "90s": 90 * time.Second, "0s": 0, "366d": 366 * 24 * time.Hour} {
		i, err := config.ParseInterval(text)
		if err != nil || time.Duration(i) != want || i.String() != text {
			t.Errorf("%s: %v %v %v", text, time.Duration(i), i, err)
		}
	}
	for _, text := range []string{"", "5", "h", "-1h", "1.5h", "1h30m", "1w", " 1h", "367d", "9999999h", "1H"} {
		if i, err := config.ParseInterval(text); err == nil {
			t.Errorf("%q is read as %v", text, i)
		}
	}
	if i, err := config.ParseInterval("120m"); err != nil || i.String() != "2h" {
		t.Errorf("120m: %v %v", i, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"environment-promotion", "monorepo", "every-key", "every-way"} {
		src, err := os.ReadFile("testdata/examples/" + name + ".yml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Add([]byte("a: &a [*a]\n? - b\n: !!x |\n\tq"))
	f.Add([]byte(base + "title: '{{with $x := join .Text .Kinds}}{{$x}}{{end}}'\n"))
	paths := []string{"charts/a/values-dev.yaml", "clusters/dev/apps/x.yaml", "envs/qa/version.yml", "services/a/overlays/dev/kustomization.yaml"}
	f.Fuzz(func(t *testing.T, src []byte) {
		file, problems := config.Parse("p.yml", src)
		if (file == nil) == (len(problems) == 0) {
			t.Fatalf("neither a file nor problems, or both: %v", problems)
		}
		lines := bytes.Count(src, []byte("\n")) + 1
		for _, p := range problems {
			if p.Line < 1 || p.Column < 1 || p.Line > lines || p.Message == "" || p.Remedy == "" {
				t.Errorf("problem without place, message or remedy: %#v", p)
			}
		}
		if file != nil {
			tree := config.Tree{Paths: paths, Default: "main", Branches: map[string][]string{}}
			for _, b := range file.Branches() {
				tree.Branches[b] = paths
			}
			pipelines, _ := file.Resolve(tree)
			contents := map[config.At][]byte{}
			for _, at := range file.Moved(pipelines, tree) {
				contents[at] = src
			}
			file.Check(pipelines, contents)
			for _, p := range pipelines {
				for _, e := range p.Environments {
					if _, err := config.Explain("p.yml", pipelines, p.Key, e.Name); err != nil {
						t.Error(err)
					}
				}
			}
		}
	})
}
