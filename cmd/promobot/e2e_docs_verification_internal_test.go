package main

// The examples of docs/verification.md, each as it stands there: what its
// configuration makes Argo CD, Flux or GitHub Actions report verifies what has
// landed, and what it makes them report of a failure rolls it back.
//
// Rules: names and states come out of the page's own blocks, by the rules of the
// tools' documentation, so that a name that is mended on one side only is found.

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/promobot/promobot/internal/githubsim"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/state"
)

const verificationPage = "docs/verification.md"

// pageSection is one section of the page, with its blocks of YAML.
type pageSection struct {
	pipeline  string   // its pipeline file
	documents []string // its other YAML documents
}

func verificationSections(t *testing.T) map[string]pageSection {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", verificationPage))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]pageSection{}
	for _, part := range strings.Split(string(text), "\n## ")[1:] {
		title, rest, _ := strings.Cut(part, "\n")
		var sec pageSection
		for _, b := range blocks.FindAllStringSubmatch(rest, -1) {
			switch {
			case b[1] != "yaml":
			case isPipelineFile(b[2]):
				sec.pipeline = b[2]
			default:
				sec.documents = append(sec.documents, strings.Split(b[2], "\n---\n")...)
			}
		}
		out[title] = sec
	}
	return out
}

// stagingVerify is what the section's pipeline file asks for in staging.
func (p pageSection) stagingVerify(t *testing.T) (soak, redFor time.Duration, workflow string) {
	t.Helper()
	var file struct {
		Environments map[string]struct {
			Verify yaml.Node
		}
	}
	var verify struct {
		Soak      string
		RedFor    string `yaml:"red_for"`
		Workflows string
	}
	err := yaml.Unmarshal([]byte(p.pipeline), &file)
	if err == nil {
		node := file.Environments["staging"].Verify
		err = node.Decode(&verify)
	}
	if err != nil {
		t.Fatal(err)
	}
	span := func(text, otherwise string) time.Duration {
		d, err := time.ParseDuration(cmp.Or(text, otherwise))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	return span(verify.Soak, "0s"), span(verify.RedFor, "1m"), verify.Workflows
}

// document reads the section's one document in which a top-level key has a value.
func (p pageSection) document(t *testing.T, key, value string, into any) {
	t.Helper()
	for _, text := range p.documents {
		var top map[string]any
		if err := yaml.Unmarshal([]byte(text), &top); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if top[key] == value {
			if err := yaml.Unmarshal([]byte(text), into); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no document has %s: %s", key, value)
}

// by makes a status what is reported.
func by(tool func(*testing.T, pageSection, string, bool) posted) func(*scene, pageSection, string, bool) {
	return func(s *scene, p pageSection, commit string, healthy bool) {
		s.t.Helper()
		st := tool(s.t, p, commit, healthy)
		s.says(commit, st.context, st.state, st.text)
	}
}

// actions runs the page's workflow on a commit, from the file the pipeline names.
func actions(s *scene, p pageSection, commit string, healthy bool) {
	s.t.Helper()
	var wf struct{ Name string }
	p.document(s.t, "name", "Smoke test of staging", &wf)
	_, _, file := p.stagingVerify(s.t)
	if err := s.sim.AddWorkflow(s.full(), githubsim.Workflow{File: file, Name: wf.Name}); err != nil {
		s.t.Fatal(err)
	}
	id, err := s.sim.StartRun(s.full(), "ana", file, "push", commit)
	if err == nil {
		err = s.sim.FinishRun(s.full(), id, map[bool]string{true: "success", false: "failure"}[healthy])
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// deploying is a deployment to the environment that the page's job names.
func deploying(s *scene, p pageSection, commit string, healthy bool) {
	s.t.Helper()
	var wf struct {
		Jobs map[string]struct{ Environment string }
	}
	p.document(s.t, "name", "Deploy staging", &wf)
	id, err := s.sim.Deploy(s.full(), "ana", githubsim.DeployOptions{Ref: commit, Environment: wf.Jobs["deploy"].Environment})
	if err == nil {
		err = s.sim.SetDeployment(s.full(), "ana", id, githubsim.DeployStatus{State: map[bool]string{true: "success", false: "failure"}[healthy]})
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// verificationExamples are the page's sections with an example, and what they
// report. With later, the report is on a commit after the landed one.
var verificationExamples = map[string]struct {
	dir    string // of all environments
	later  bool
	report func(s *scene, p pageSection, commit string, healthy bool)
}{
	"Argo CD":                 {"services/checkout", true, by(argoCD)},
	"Flux":                    {"envs", true, by(flux)},
	"A test that Flux starts": {"envs", true, by(fluxDispatch)},
	"GitHub Actions":          {"envs", false, actions},
	"GitHub deployments":      {"envs", false, deploying},
	"By hand":                 {}, // windows and approval: TestDocumentedWindow
}

func TestDocumentedVerification(t *testing.T) {
	t.Parallel()
	sections := verificationSections(t)
	for title, sec := range sections {
		if _, known := verificationExamples[title]; !known && sec.pipeline != "" {
			t.Errorf("nothing runs the example under %q", title)
		}
	}
	for title, example := range verificationExamples {
		sec := sections[title]
		if sec.pipeline == "" {
			t.Errorf("there is no pipeline file under %q", title)
		}
		if example.report == nil {
			continue
		}
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			soak, redFor, _ := sec.stagingVerify(t)
			files := map[string]string{config.Path: sec.pipeline}
			for _, e := range []string{"dev", "staging", "prod"} {
				files[example.dir+"/"+e+"/values.yaml"] = shopValues("1.0.0")
			}
			s := newScene(t, sceneOptions{files: files})
			s.installed(3)
			key := func(environment string) string {
				for k := range s.ledgers() {
					if strings.HasSuffix(k, "/"+environment) {
						return k
					}
				}
				t.Fatalf("%s has no ledger", environment)
				return ""
			}
			staging, prod := key("staging"), key("prod")
			land := func(tag string) (string, state.Landing, string) {
				t.Helper()
				revision := s.push("dev: "+tag, map[string]string{example.dir + "/dev/values.yaml": shopValues(tag)})
				landed := s.landing(staging, revision)
				s.settle()
				at := landed.Commit
				if example.later {
					at = s.push("something else", map[string]string{"README.md": "after " + tag + "\n"})
					s.settle()
				}
				return revision, landed, at
			}

			good, landed, at := land("2.0.0")
			example.report(s, sec, at, true)
			s.wait("it holds", func() bool {
				st := s.ledgers()[staging]
				return st.VerdictOf(landed.Commit) != nil || st.Watch != nil && !st.Watch.Holding.IsZero()
			})
			s.ahead.Add(int64(soak + time.Second))
			s.wake()
			if v := s.verdictOn(staging, landed); v.Outcome != state.Verified {
				t.Fatalf("the verdict is %+v", v)
			}
			s.wait("it is proposed to prod", func() bool {
				return state.ParseTrailers(s.open()[prod].Body)[state.TrailerRevision] == good
			})

			_, bad, at := land("3.0.0")
			before := s.folder(bad.Before, example.dir+"/staging")
			example.report(s, sec, at, false)
			s.wait("it is seen to fail", func() bool { w := s.ledgers()[staging].Watch; return w != nil && !w.Failing.IsZero() })
			s.ahead.Add(int64(redFor + time.Second))
			s.wake()
			if v := s.verdictOn(staging, bad); v.Outcome != state.Failed {
				t.Fatalf("the verdict is %+v", v)
			}
			s.wait("it is rolled back", func() bool { l := s.ledgers()[staging].Landing; return l.Reverts == bad.ID })
			s.settle()
			st := s.ledgers()[staging]
			if !s.pull(st.Landing.PullRequest).Merged || st.Hold == nil {
				t.Errorf("#%d is not merged, or nothing is held: %+v", st.Landing.PullRequest, st.Hold)
			}
			if d := gocmp.Diff(before, s.folder("main", example.dir+"/staging")); d != "" {
				t.Errorf("staging is not as before (-before +now):\n%s", d)
			}
			if len(before) == 0 {
				t.Error("staging has no files")
			}
		})
	}
}
