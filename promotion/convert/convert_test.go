package convert_test

// Configurations as text archives: testdata/NAME.txtar holds one (telefonistka.yaml
// or promoter.yaml), the repository's paths where it has any, and the pipeline
// file with the notes that come of it, or the error. UPDATE_GOLDEN=1 writes anew.

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/convert"
)

func TestConvert(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("nothing to convert", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want, got := map[string]string{}, map[string]string{}
			var paths []string
			for _, f := range a.Files {
				switch {
				case strings.HasPrefix(f.Name, "want"):
					want[f.Name] = string(f.Data)
				case f.Name == "paths":
					paths = strings.Fields(string(f.Data))
				}
			}
			for _, f := range a.Files {
				var r convert.Result
				switch f.Name {
				case "telefonistka.yaml":
					r, err = convert.Telefonistka(f.Name, f.Data, paths)
				case "promoter.yaml":
					r, err = convert.Promoter(f.Name, f.Data)
				default:
					continue
				}
				if err != nil {
					got["want-error"] = err.Error() + "\n"
					continue
				}
				got["want.yml"] = string(r.File)
				parsed, problems := config.Parse("converted", r.File)
				if len(problems) > 0 {
					t.Fatalf("%v\n%s", problems, r.File)
				}
				if paths != nil {
					got["want-resolved"] = resolved(t, parsed, paths)
				}
				for _, n := range r.Notes {
					if line := fmt.Sprintf("# - line %d, %s: %s\n", n.Line, n.Sort, n.Text); !strings.Contains(string(r.File), line) {
						t.Errorf("the file does not say: %s", line)
					}
				}
			}
			if os.Getenv("UPDATE_GOLDEN") != "" {
				a.Files = slices.DeleteFunc(a.Files, func(f txtar.File) bool { return strings.HasPrefix(f.Name, "want") })
				for _, name := range []string{"want.yml", "want-resolved", "want-error"} {
					if text, ok := got[name]; ok {
						a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(text)})
					}
				}
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// resolved says which places a converted file means in a repository.
func resolved(t *testing.T, f *config.File, paths []string) string {
	t.Helper()
	slices.Sort(paths)
	pipelines, problems := f.Resolve(config.Tree{Paths: paths, Default: "main"})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var b strings.Builder
	for _, p := range pipelines {
		for _, e := range p.Environments {
			fmt.Fprintf(&b, "%s %s: %s from %s, there: %v\n", p.Key, e.Name, e.Place.Dir, strings.Join(e.From, ","), e.Present)
		}
	}
	return b.String()
}

func FuzzTelefonistka(f *testing.F) {
	f.Add([]byte("promotionPaths: [{sourcePath: a/, promotionPrs: [{targetPaths: [b/]}]}]"))
	f.Add([]byte("promotionPaths: &a [*a]"))
	f.Fuzz(func(t *testing.T, src []byte) {
		r, err := convert.Telefonistka("telefonistka.yaml", src, nil)
		if err != nil {
			return
		}
		if _, problems := config.Parse("converted", r.File); len(problems) > 0 {
			t.Errorf("%v\n%s", problems, r.File)
		}
	})
}
