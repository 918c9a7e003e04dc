package github_test

// Our own deployments against the simulator.

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	gh "github.com/google/go-github/v60/github"

	"github.com/promobot/promobot/promotion"
)

func TestOwnDeployments(t *testing.T) {
	w := newWorldOf(t, evidence)
	ctx := t.Context()
	argo := w.otherApp("argocd")
	// A base that has moved on and a red check keep GitHub from nothing.
	landed := w.commit("main", "version: 2\n")
	_, _, err := w.UserClient("olga").Repositories.CreateStatus(ctx, "acme", "shop", landed, &gh.RepoStatus{State: new("failure"), Context: new("ci")})
	w.must(err)
	w.commit("main", "version: 3\n")
	want := promotion.Deployment{Environment: "app/prod", Commit: landed, Promotion: "p1", Description: "1.4.0 from staging", Production: true}
	id, err := w.repo.CreateDeployment(ctx, want)
	w.must(err)
	want.ID = id
	other := want
	other.Environment, other.Promotion, other.Production = "app/staging", "p2", false
	_, err = w.repo.CreateDeployment(ctx, other)
	w.must(err)
	w.deploy(argo, "app/prod", landed, "success")          // another's
	w.deploy("promobot[bot]", "app/prod", landed, "error") // ours, and not a landing's
	got, err := w.repo.OwnDeployments(ctx, "app/prod")
	w.must(err)
	if diff := cmp.Diff([]promotion.Deployment{want}, got); diff != "" {
		t.Errorf("deployments (-want +got):\n%s", diff)
	}
	for _, state := range []string{"", "in_progress", "success", "inactive"} {
		if state != "" {
			w.must(w.repo.SetDeployment(ctx, id, state, "because", w.URL+"/acme/shop/pull/1"))
		}
		if got, err := w.repo.DeploymentState(ctx, id); err != nil || got != state {
			t.Errorf("its state is %q, not %q: %v", got, state, err)
		}
	}
	// What others made active, ours has left alone.
	others, err := w.repo.Deployments(ctx, landed)
	w.must(err)
	if len(others) != 1 || others[0].Conclusion != "success" {
		t.Errorf("others' deployments: %+v", others)
	}
}

func TestOwnDeploymentsNotGranted(t *testing.T) {
	w := newWorldOf(t, map[string]string{"deployments": "read"})
	_, err := w.repo.OwnDeployments(t.Context(), "app/prod")
	refusedWith(t, "deployments, write", err)
}
