package config_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/config"
)

var update = flag.Bool("update", false, "write the golden files, the schema and the reference page anew")

// TestRefused reads testdata/refused: files of cases, each a pipeline file and
// the problems it has, with their lines and columns.
func TestRefused(t *testing.T) {
	files, err := filepath.Glob("testdata/refused/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var rewritten strings.Builder
		for _, c := range strings.Split(string(src), "#### ")[1:] {
			head, body, _ := strings.Cut(c, "\n")
			if head == "refused" {
				continue
			}
			_, want, ok := strings.Cut(string(src), "#### "+head+"\n"+body+"#### refused\n")
			if !ok {
				t.Fatalf("%s: case %q has no problems after it", file, head)
			}
			want, _, _ = strings.Cut(want, "#### ")
			fmt.Fprintf(&rewritten, "#### %s\n%s#### refused\n", head, body)
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txt")+"/"+head, func(t *testing.T) {
				f, problems := config.Parse("p.yml", []byte(body))
				if f != nil || len(problems) == 0 {
					t.Fatal("accepted")
				}
				got := describe(problems)
				rewritten.WriteString(got)
				if diff := cmp.Diff(want, got); diff != "" && !*update {
					t.Errorf("problems (-want +got):\n%s", diff)
				}
			})
		}
		if *update {
			if err := os.WriteFile(file, []byte(rewritten.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// describe prints problems as the golden files have them: the remedy on a line
// of its own.
func describe(problems config.Problems) string {
	var out strings.Builder
	for _, p := range problems {
		remedy := strings.ReplaceAll(p.Remedy, "\n", "\n      ")
		fmt.Fprintf(&out, "%d:%d %s\n      %s\n", p.Line, p.Column, p.Message, remedy)
	}
	return out.String()
}
