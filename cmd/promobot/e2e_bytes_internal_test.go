package main

// Files that are easily harmed on the way: each arrives byte for byte and mode
// for mode, or is refused with the reason where its author sees it.

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// boxPipeline copies whole folders, whatever is in them.
const boxPipeline = `version: 1
environments:
  dev:  {verify: none}
  prod: {from: dev, mode: auto, allow: [create, delete, drift]}
pipelines:
  box:
    path: envs/$env
    promote: {files: "**"}
`

// box is a repository of that pipeline, looked at once.
func box(t *testing.T) (s *scene, look func()) {
	t.Helper()
	files := map[string]string{".github/promobot.yml": boxPipeline}
	for _, e := range []string{"dev", "prod"} {
		files["envs/"+e+"/values.yaml"] = shopValues("1.0.0")
		files["envs/"+e+"/crlf.yaml"] = "a: 1\r\nb: 2\r\n"
		files["envs/"+e+"/bare.txt"] = "no line end"
		files["envs/"+e+"/image.bin"] = "\x00\x01\xff\xfe"
		files["envs/"+e+"/going"] = "this one goes\n"
	}
	s = newScene(t, sceneOptions{files: files})
	look, _ = s.byHand()
	look()
	return s, look
}

func TestBytesArriveAsTheyAre(t *testing.T) {
	t.Parallel()
	s, look := box(t)
	revision := s.change("main", "dev: all at once", func(dir string) error {
		at := func(name string) string { return filepath.Join(dir, "envs", "dev", name) }
		for name, text := range map[string]string{
			"crlf.yaml":              "a: 1\r\nb: 3\r\n",
			"bare.txt":               "still no line end",
			"image.bin":              "\x00\x01\xff\xfe\x00\r\n\x1a",
			"new/deep/ünï \"q\" 'x'": "with \ttabs\n\n\n",
			"-rf":                    "x",
			"empty":                  "",
			"mixed.txt":              "one\r\ntwo\nthree\rfour",
			"bom.yaml":               "\ufeffa: 1\n",
			"run.sh":                 "#!/bin/sh\ntrue\n",
		} {
			if err := writeFiles(filepath.Dir(at(name)), map[string]string{filepath.Base(name): text}); err != nil {
				return err
			}
		}
		if err := os.Chmod(at("run.sh"), 0o755); err != nil {
			return err
		}
		if err := os.Remove(at("going")); err != nil {
			return err
		}
		return os.Symlink("new/deep", at("link"))
	})
	look()
	if !s.landed(revision, "box/prod") {
		c := s.check(revision)
		t.Fatalf("it has not landed: %s\n%s\n%s", c.Title, c.Summary, s.describe())
	}
	want := map[string]file{}
	for name, f := range s.folder("main", "envs/dev") {
		want[strings.Replace(name, "envs/dev/", "envs/prod/", 1)] = f
	}
	if want["envs/prod/run.sh"].Mode != "100755" || want["envs/prod/link"].Mode != "120000" || len(want) != 11 {
		t.Fatalf("dev itself is not as meant: %v", want)
	}
	if diff := cmp.Diff(want, s.folder("main", "envs/prod")); diff != "" {
		t.Errorf("prod is not as dev (-want +got):\n%s", diff)
	}
}

// TestFilesThatMustNotTravel refuses what would be something else in the target,
// and says which file it is and what to do; without it, the rest goes.
func TestFilesThatMustNotTravel(t *testing.T) {
	cases := map[string]struct {
		make func(s *scene, dir string) error
		undo func(s *scene, dir string) error
		says []string
	}{
		"a link to above the folder": {
			make: func(_ *scene, dir string) error {
				return os.Symlink("../../../../etc/passwd", filepath.Join(dir, "envs/dev/out"))
			},
			undo: func(_ *scene, dir string) error { return os.Remove(filepath.Join(dir, "envs/dev/out")) },
			says: []string{"envs/prod/out", "points out of"},
		},
		"a link to an absolute path": {
			make: func(_ *scene, dir string) error {
				return os.Symlink("/etc/passwd", filepath.Join(dir, "envs/dev/out"))
			},
			undo: func(_ *scene, dir string) error { return os.Remove(filepath.Join(dir, "envs/dev/out")) },
			says: []string{"envs/prod/out", "points out of"},
		},
		"a submodule": {
			// `git add -A` removes an entry without a folder: the folder stays, empty.
			make: func(s *scene, dir string) error {
				s.git(dir, "update-index", "--add", "--cacheinfo", "160000,"+s.git(dir, "rev-parse", "HEAD")+",envs/dev/module")
				return os.Mkdir(filepath.Join(dir, "envs/dev/module"), 0o755)
			},
			undo: func(_ *scene, dir string) error { return os.Remove(filepath.Join(dir, "envs/dev/module")) },
			says: []string{"envs/prod/module", "submodule"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, look := box(t)
			before := s.folder("main", "envs/prod")
			revision := s.change("main", "dev: something odd", func(dir string) error {
				if err := writeFiles(dir, map[string]string{"envs/dev/values.yaml": shopValues("2.0.0")}); err != nil {
					return err
				}
				return c.make(s, dir)
			})
			look()
			if diff := cmp.Diff(before, s.folder("main", "envs/prod")); diff != "" || len(s.pulls()) > 0 {
				t.Fatalf("part of it has travelled (-before +now):\n%s%s", diff, s.describe())
			}
			shown := s.check(revision)
			if shown.Conclusion != "failure" {
				t.Errorf("the check run ends with %q, though a person is needed", shown.Conclusion)
			}
			for _, say := range c.says {
				if text := shown.Title + shown.Summary + shown.Text; !strings.Contains(text, say) {
					t.Errorf("the check run does not say %q:\n%s", say, text)
				}
			}
			mended := s.change("main", "dev: without it", func(dir string) error { return c.undo(s, dir) })
			look()
			if !s.landed(mended, "box/prod") || s.read("envs/prod/values.yaml") != shopValues("2.0.0") {
				t.Errorf("without it the rest does not travel: %s%s", s.check(mended).Title, s.describe())
			}
		})
	}
}
