package pages_test

// Golden files: one page of each kind, as it is sent.

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/view"
)

var (
	once   = regexp.MustCompile(`name="once" value="[A-Z2-7]+"`)
	hashed = regexp.MustCompile(`(/assets/[a-z]+)\.[0-9a-f]{12}\.`)
)

// small is a world whose pages can be read.
func small() *site {
	w := world{fixed()}
	r := w.repository(1, "shop")
	r.Pipelines = []view.Pipeline{w.checkout(), w.service("services/cart", "cart", 2, "dev", "staging")}
	s := newSite(fixed, r)
	s.answers = []view.Answer{{ID: "page-00000000000000000000000000000001", By: alice, Command: "hold prod-eu", Done: false, Says: []string{"`hold` asks for write, you may read"}, At: w.ago(time.Minute)}}
	return s
}

func TestGolden(t *testing.T) {
	const eu = "/acme/shop/e/prod-eu/services/checkout"
	for name, tc := range map[string]struct {
		who, path string
		form      url.Values
		status    int
	}{
		"home":        {alice, "/", nil, http.StatusOK},
		"repository":  {alice, "/acme/shop", nil, http.StatusOK},
		"pipeline":    {alice, "/acme/shop/p/services/checkout", nil, http.StatusOK},
		"environment": {alice, eu + "?answer=page-00000000000000000000000000000001", nil, http.StatusOK},
		"before":      {alice, "/acme/shop/promotion/a871", nil, http.StatusOK},
		"promotion":   {alice, "/acme/shop/promotion/b1946ac92492d2347c6235b4d2611184", nil, http.StatusOK},
		"confirm":     {alice, "/acme/shop/act", press("services/checkout", "prod-eu", "rollback prod-eu --pipeline services/checkout"), http.StatusOK},
		"welcome":     {"", "/?to=%2Facme%2Fshop", nil, http.StatusOK},
		"missing":     {alice, "/acme/none", nil, http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			got := small().ask(tc.who, tc.path, tc.form)
			if got.status != tc.status {
				t.Errorf("status %d, want %d", got.status, tc.status)
			}
			body := once.ReplaceAllString(got.body, `name="once" value="ONCE"`)
			body = hashed.ReplaceAllString(body, "$1.HASH.")
			file := filepath.Join("testdata", name+".html")
			if *update {
				if err := os.WriteFile(file, []byte(body), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), body); diff != "" {
				t.Errorf("not as in %s (rewrite it with -update):\n%s", file, diff)
			}
		})
	}
}

// press is a button's form.
func press(pipeline, environment, command string) url.Values {
	return url.Values{"csrf": {"token-of-" + alice}, "once": {"ABCDEFGHIJKLMNOPQRSTUVWXYZ"}, "pipeline": {pipeline}, "environment": {environment}, "command": {command}}
}
