package github_test

// Versions, from the repository itself and from others.

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
)

func release(tag string, changes obj) obj {
	out := obj{
		"id": 1, "tag_name": tag, "target_commitish": "main", "draft": false, "prerelease": false,
		"published_at": "2026-03-01T08:00:00Z", "html_url": "https://github.test/r/" + tag,
	}
	maps.Copy(out, changes)
	return out
}

func tagRef(name, kind string) obj {
	return obj{"ref": "refs/tags/" + name, "object": obj{"sha": head, "type": kind}}
}

func TestReleases(t *testing.T) {
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	version := func(name, tag string) promotion.Version {
		return promotion.Version{Name: name, Time: at, URL: "https://github.test/r/" + tag}
	}
	with := func(v promotion.Version, change func(*promotion.Version)) promotion.Version {
		change(&v)
		return v
	}
	tests := []struct {
		name  string
		src   config.VersionSource
		given []obj
		want  []promotion.Version
	}{
		{"none", config.VersionSource{}, nil, nil},
		{
			"as GitHub lists them",
			config.VersionSource{},
			[]obj{release("v1.9.1", nil), release("v1.10.0", nil), release("nightly", nil)},
			[]promotion.Version{version("v1.9.1", "v1.9.1"), version("v1.10.0", "v1.10.0"), version("nightly", "nightly")},
		},
		{
			"drafts never, pre-releases marked",
			config.VersionSource{},
			[]obj{release("v2.0.0", obj{"draft": true}), release("v2.0.0-rc.1", obj{"prerelease": true})},
			[]promotion.Version{with(version("v2.0.0-rc.1", "v2.0.0-rc.1"), func(v *promotion.Version) { v.Prerelease = true })},
		},
		{
			"pattern and prefix",
			config.VersionSource{Pattern: "shop/v*", Prefix: "shop/v"},
			[]obj{release("shop/v1.2.0", nil), release("cart/v3.0.0", nil), release("shop/v1/x", nil), release("shop/v", nil)},
			[]promotion.Version{version("1.2.0", "shop/v1.2.0")},
		},
		{
			"made of a commit",
			config.VersionSource{},
			[]obj{release("v1", obj{"target_commitish": head})},
			[]promotion.Version{with(version("v1", "v1"), func(v *promotion.Version) { v.Target = head })},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.paged("GET /repos/acme/shop/releases", tt.given)
			tt.src.Kind, tt.src.Repository = config.Release, "Acme/shop"
			got, err := s.repository().Versions(t.Context(), tt.src)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("versions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReleasesAreBounded(t *testing.T) {
	s := newServer(t)
	var many []obj
	for i := range 1000 {
		many = append(many, release(fmt.Sprintf("v1.0.%d", 1000-i), nil))
	}
	s.paged("GET /repos/acme/shop/releases", many)
	got, err := s.repository().Versions(t.Context(), config.VersionSource{Kind: config.Release, Repository: "acme/shop"})
	if err != nil || len(got) != 300 || got[0].Name != "v1.0.1000" || len(s.lines()) != 3 {
		t.Errorf("%d versions in %d requests, %v", len(got), len(s.lines()), err)
	}
}

// GitHub lists tags by name, so that the newest may come anywhere.
func TestTags(t *testing.T) {
	var many []obj
	for i := range 500 {
		many = append(many, tagRef(fmt.Sprintf("v9.0.%d", i), "commit"))
	}
	many = append(many, tagRef("v10.0.0", "tag"), tagRef("v10.0.1-rc.1", "commit"), tagRef("vendor", "commit"))
	s := newServer(t)
	s.on("GET /repos/acme/shop/git/matching-refs/tags/v", answer(http.StatusOK, many))
	got, err := s.repository().Versions(t.Context(), config.VersionSource{Kind: config.Tag, Repository: "acme/shop", Pattern: "v[0-9]*", Prefix: "v"})
	if err != nil {
		t.Fatal(err)
	}
	want := []promotion.Version{{Name: "10.0.1-rc.1", Target: head}, {Name: "10.0.0"}, {Name: "9.0.499", Target: head}}
	if diff := cmp.Diff(want, got[:3]); diff != "" || len(got) != 300 {
		t.Errorf("%d versions, the first (-want +got):\n%s", len(got), diff)
	}
	s.on("GET /repos/acme/shop/git/matching-refs/tags", answer(http.StatusOK, []obj{tagRef("b", "commit"), tagRef("1.0", "commit"), tagRef("v1.1", "commit")}))
	got, err = s.repository().Versions(t.Context(), config.VersionSource{Kind: config.Tag, Repository: "acme/shop"})
	if err != nil || len(got) != 3 || got[0].Name != "v1.1" || got[2].Name != "b" {
		t.Errorf("all tags: %+v, %v", got, err)
	}
}

// elsewhere lets the App be installed on acme/app, as installation 77.
func (s *server) elsewhere() {
	s.on("GET /app", answer(http.StatusOK, obj{"id": appID, "slug": "promobot", "html_url": "https://github.test/apps/promobot"}))
	s.on("GET /repos/acme/app/installation", answer(http.StatusOK, obj{"id": 77}))
	s.on("POST /app/installations/77/access_tokens", s.giveToken)
	s.on("GET /repos/acme/app/releases", answer(http.StatusOK, []obj{release("v1", nil)}, "ETag", `"r1"`))
}

var app = config.VersionSource{Kind: config.Release, Repository: "acme/app"}

func TestVersionsOfAnotherRepository(t *testing.T) {
	s := newServer(t)
	s.elsewhere()
	r := s.repository()
	for range 3 {
		if got, err := r.Versions(t.Context(), app); err != nil || len(got) != 1 {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	token := s.seen("POST /app/installations/77/access_tokens")
	if len(token) != 1 || len(s.seen("GET /repos/acme/app/installation")) != 1 {
		t.Errorf("asked again for what is known: %v", s.seen(""))
	}
	for _, part := range []string{`"repositories":["app"]`, `"contents":"read"`} {
		if !strings.Contains(token[0].body, part) {
			t.Errorf("the token is not narrowed to %s: %s", part, token[0].body)
		}
	}
	if strings.Contains(token[0].body, "write") {
		t.Errorf("the token may write: %s", token[0].body)
	}
	s.clock.advance(time.Hour)
	if _, err := r.Versions(t.Context(), app); err != nil || len(s.seen("GET /repos/acme/app/installation")) != 2 {
		t.Errorf("after an hour: %v, %v", err, s.seen("GET /repos/acme/app/installation"))
	}
}

func TestSourcesThatCannotBeRead(t *testing.T) {
	notFound := answer(404, obj{"message": "Not Found"})
	const installAt = "https://github.test/apps/promobot/installations/new"
	tests := []struct {
		name  string
		src   string
		setup func(*server)
		want  string
		says  []string
	}{
		{"public, not installed", "acme/app", func(s *server) {
			s.on("GET /repos/acme/app/installation", notFound)
			s.on("GET /repos/acme/app", answer(200, repository("acme", "app", 5)))
		}, "refused", []string{"not installed on acme/app", installAt}},
		{"not seen", "acme/app", func(s *server) { s.on("GET /repos/acme/app/installation", notFound) }, "refused", []string{"acme/app", "deleted", installAt}},
		{"suspended", "acme/app", func(s *server) {
			s.on("GET /repos/acme/app/installation", answer(200, obj{"id": 77, "suspended_at": "2026-03-01T08:00:00Z"}))
		}, "refused", []string{"suspended"}},
		{"not included", "acme/app", func(s *server) {
			s.on("POST /app/installations/77/access_tokens", answer(422, obj{"message": "There is at least one repository that does not exist or is not accessible to the parent installation."}))
		}, "refused", []string{"acme/app", "taken from", installAt}},
		{"deleted after it was found", "acme/app", func(s *server) { s.on("GET /repos/acme/app/releases", notFound) }, "refused", []string{"acme/app", "deleted"}},
		{"contents not granted", "acme/app", func(s *server) {
			s.on("POST /app/installations/77/access_tokens", answer(422, obj{"message": "The permissions requested are not granted to this installation."}))
		}, "refused", []string{"permissions"}},
		{"no answer about the installation", "acme/app", func(s *server) { s.on("GET /repos/acme/app/installation", answer(502, "")) }, "no answer", nil},
		{"no answer about the releases", "acme/app", func(s *server) { s.on("GET /repos/acme/app/releases", answer(502, "")) }, "no answer", nil},
		{"a release without a tag", "acme/app", func(s *server) { s.on("GET /repos/acme/app/releases", answer(200, []obj{{"id": 1}})) }, "no answer", nil},
		{"no repository", "acme", func(*server) {}, "refused", []string{"owner/name"}},
		{"a path", "acme/..", func(*server) {}, "refused", nil},
		{"a query", "acme/app?x=", func(*server) {}, "refused", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.elsewhere()
			tt.setup(s)
			_, err := s.repository().Versions(t.Context(), config.VersionSource{Kind: config.Release, Repository: tt.src})
			if got := kind(err); got != tt.want {
				t.Errorf("the error is %q (%v), want %q", got, err, tt.want)
			}
			for _, part := range tt.says {
				if !strings.Contains(fmt.Sprint(err), part) {
					t.Errorf("error %q, want it to say %q", err, part)
				}
			}
			silent(t, err)
		})
	}
	s := newServer(t)
	if _, err := s.repository().Versions(t.Context(), config.VersionSource{Kind: config.Dispatch, Type: "x"}); err == nil {
		t.Error("a dispatch was listed")
	}
}

// What is missing is asked for again after a while, and found.
func TestInstalledLater(t *testing.T) {
	s := newServer(t)
	s.elsewhere()
	s.on("GET /repos/acme/app/installation", answer(404, obj{"message": "Not Found"}))
	r := s.repository()
	for range 2 {
		if _, err := r.Versions(t.Context(), app); kind(err) != "refused" {
			t.Fatalf("error %v, want that it is refused", err)
		}
	}
	if n := len(s.seen("GET /repos/acme/app/installation")); n != 1 {
		t.Errorf("asked %d times at once", n)
	}
	s.elsewhere()
	s.clock.advance(time.Minute)
	if got, err := r.Versions(t.Context(), app); err != nil || len(got) != 1 {
		t.Errorf("installed: %+v, %v", got, err)
	}
	s.on("GET /repos/acme/app/releases", answer(404, obj{"message": "Not Found"}))
	if _, err := r.Versions(t.Context(), app); kind(err) != "refused" {
		t.Errorf("gone: %v", err)
	}
	s.elsewhere()
	if _, err := r.Versions(t.Context(), app); err != nil || len(s.seen("GET /repos/acme/app/installation")) != 3 {
		t.Errorf("after it was gone, it is looked for anew: %v", err)
	}
}
