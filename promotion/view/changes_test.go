package view_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/view"
)

func TestChanges(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	ago := func(minutes int) time.Time { return noon.Add(-time.Duration(minutes) * time.Minute) }
	promoted := view.Environment{
		Pipeline: "shop", Name: "prod", Production: true,
		Current:   &view.Landing{Commit: "c2", Title: "2.0.0", Since: ago(31), PullRequest: 7, By: "promobot[bot]"},
		Promotion: &view.Promotion{Commit: "c1", PullRequest: 7, Status: "landed"},
		Entries: []view.Entry{
			{Kind: "verdict", Sentence: "2.0.0 is verified", Time: ago(10), URL: "v"},
			{Kind: "watched", Sentence: "all holds", Time: ago(20)},
			{Kind: "landed", Sentence: "2.0.0 landed", Time: ago(30)},
			{Kind: "landed", Sentence: "1.0.0 landed", Time: ago(300)},
		},
	}
	person := view.Environment{
		Pipeline: "shop", Name: "dev",
		Current:   &view.Landing{Commit: "c3", Title: "c3", Subject: "hotfix", Since: ago(20), Author: "bo", URL: "u"},
		Promotion: &view.Promotion{Commit: "c1", PullRequest: 5, Status: "landed"},
	}
	pushed := view.Environment{
		Pipeline: "shop", Name: "qa",
		Current:   &view.Landing{Commit: "c1", Since: ago(5)},
		Promotion: &view.Promotion{Commit: "c1", Status: "landed"},
		Entries:   []view.Entry{{Kind: "landed", Sentence: "pushed", Time: ago(5)}},
	}
	repositories := []view.Repository{{Owner: "acme", Name: "gitops", Pipelines: []view.Pipeline{
		{Key: "shop", Environments: []view.Environment{
			person, pushed, promoted,
			{Pipeline: "shop", Name: "new"},
			{Pipeline: "shop", Name: "adopted", Current: &view.Landing{Commit: "c0", Since: ago(1), Baseline: true}},
		}},
	}}}
	got := view.Changes(repositories, ago(120), func(e *view.Environment) bool { return e.Name != "unwanted" })
	want := []view.Changed{
		{Repository: "acme/gitops", Pipeline: "shop", Environment: "qa", Time: ago(5), Kind: "landed", Text: "pushed"},
		{Repository: "acme/gitops", Pipeline: "shop", Environment: "prod", Production: true, Time: ago(10), Kind: "verdict", Text: "2.0.0 is verified", URL: "v"},
		{Repository: "acme/gitops", Pipeline: "shop", Environment: "dev", Time: ago(20), Kind: "landed", Text: "c3 landed: hotfix", By: "bo", URL: "u"},
		{Repository: "acme/gitops", Pipeline: "shop", Environment: "prod", Production: true, Time: ago(30), Kind: "landed", Text: "2.0.0 landed"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := view.Changes(repositories, ago(7), func(e *view.Environment) bool { return e.Production }); len(got) != 0 {
		t.Errorf("production in the last seven minutes: %+v", got)
	}
}
