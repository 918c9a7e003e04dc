package gitrepo_test

// The rules of the mirror, each held by a test that counts requests and blobs.
// Those that are not below stand with what they are about:
//
//   named remote, refspecs, prune     TestDesignFetchAsksOnceAndForNoBlob, TestFetchMirrorsTheRemote
//   lock, one clone, shared fetches   TestManyFetchesOfAnEmptyCacheAreOneClone, TestFetchesAreShared,
//                                     TestSixteenDeploysOnAnEmptyCacheRightAfterARestart, TestAPushNeverQueuesBehindFetches
//   stale locks, halves of the dead   TestKilledAtEachRequest, TestGitKilledMidway, TestLeftoversOfTheDead,
//                                     TestNothingOfALiveProcessIsRemoved
//   local plumbing, no network        TestDesignReadingAndCommittingAskNothing, TestTokensStayHidden
//   own maintenance, nothing pruned   TestDesignGitMaintainsNothingByItself, TestMaintenanceKeepsEverything
//   the few blobs, fetched by id      TestDesignBlobsAreFetchedOnceAndTogether, TestBlobs, TestPushBringsBorrowedBlobs
//   a missing blob ends cat-file      TestOpenLocal (a partial clone)
//   trees by plumbing                 TestDesignCostGrowsWithDepthNotWithFiles, TestPromotionInALargeRepository
//   push.negotiate                    TestPushNegotiates
//   first parents alone               TestChain, TestBetween
//   base read last                    TestDesignNothingButThePushFollowsTheBase, TestPushToABranchNeedsNoNegotiation
//   refusals by ref                   TestPushClassifies, TestPushReadsTheWordsOfOtherRemotes, TestPushBrokenOff
//   pushes paced                      TestPushesArePaced, TestPushAt
//   tokens stay hidden                TestTokensStayHidden

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/promotion/gitrepo"
)

// requests are all requests by kind since the last reset.
func (s *server) requests() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.counts)
}

func TestDesignFetchAsksOnceAndForNoBlob(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	sc.origin.commit("first", map[string]string{"a": "1", "d/b": "2"})
	sc.origin.push()
	blobsHere := func() int {
		return strings.Count(run(t, sc.mirror(), "git", "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)"), "blob")
	}
	for _, step := range []struct {
		name    string
		prepare func()
		want    map[string]int // git-upload-pack: the refs, then the objects
	}{
		{"cloning", func() {}, map[string]int{"advertise git-upload-pack": 1, "git-upload-pack": 2}},
		{"nothing new", func() {}, map[string]int{"advertise git-upload-pack": 1, "git-upload-pack": 1}},
		{"something new", func() {
			sc.origin.commit("second", map[string]string{"d/b": "3"})
			sc.origin.push("HEAD:refs/heads/main", "HEAD:refs/promobot/shop/prod")
		}, map[string]int{"advertise git-upload-pack": 1, "git-upload-pack": 2}},
	} {
		step.prepare()
		sc.server.reset()
		sc.fetch()
		if diff := cmp.Diff(step.want, sc.server.requests()); diff != "" {
			t.Errorf("%s: requests (-want +got):\n%s", step.name, diff)
		}
		if n := blobsHere(); n != 0 {
			t.Errorf("%s: the mirror holds %d blobs", step.name, n)
		}
	}
}

// TestDesignReadingAndCommittingAskNothing: all that is done with a mirror but
// for blobs, also with ids of things that are not in it.
func TestDesignReadingAndCommittingAskNothing(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	ids := history(sc)
	sc.server.reset()
	ctx, repo := t.Context(), sc.repo
	chain, err := repo.Chain(ctx, ids["last"], "", 0)
	if err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"Log":       second(repo.Log(ctx, ids["last"], "", 0)),
		"Commits":   second(repo.Commits(ctx, []string{ids["merge"], unknown})),
		"Contains":  second(repo.Contains(ctx, ids["side a"], ids["last"])),
		"Between":   second(repo.Between(ctx, ids["root"], ids["last"], []string{"dev"}, 0)),
		"List":      second(repo.List(ctx, ids["last"], []string{""})),
		"Paths":     second(repo.Paths(ctx, ids["last"])),
		"Resolve":   second(repo.Resolve(ctx, "main~1")),
		"ReadAhead": second(repo.ReadAhead(ctx, chain, func(string) bool { return true })),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	// What is in none of the mirror's objects must not be looked for elsewhere.
	if _, err := repo.Contains(ctx, unknown, ids["last"]); err == nil {
		t.Error("an unknown commit is known")
	}
	taken := content.Edit{Path: "dev/taken", Mode: "100644", Blob: run(t, sc.origin.work, "git", "rev-parse", "HEAD:prod/a")}
	sc.newCommit(ids["last"], "a blob that is not here, taken over by its id", taken)
	if diff := cmp.Diff(map[string]int{}, sc.server.requests()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func second[T any](_ T, err error) error { return err }

func TestDesignBlobsAreFetchedOnceAndTogether(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	files := map[string]string{}
	for i := range 521 {
		files[fmt.Sprintf("f%03d", i)] = fmt.Sprintf("content %d\n", i)
	}
	base := sc.origin.commit("base", files)
	sc.origin.push()
	sc.fetch()
	l, err := sc.repo.List(t.Context(), base, []string{""})
	if err != nil {
		t.Fatal(err)
	}
	wanted := []string{l["f007"].Blob, l["f070"].Blob, l["f500"].Blob}
	sc.server.reset()
	for range 2 {
		if blobs, _, err := sc.repo.Blobs(t.Context(), wanted); err != nil || len(blobs) != 3 {
			t.Fatalf("%d blobs, error %v", len(blobs), err)
		}
	}
	if diff := cmp.Diff(map[string]int{"advertise git-upload-pack": 1, "git-upload-pack": 1}, sc.server.requests()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	out := run(t, sc.mirror(), "git", "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)")
	if n := strings.Count(out, "blob"); n != 3 {
		t.Errorf("the mirror holds %d blobs, want the 3 that were asked for", n)
	}
}

// called is a git that notes the name of each command it is called with.
func called(t *testing.T) (git string, names func() []string) {
	t.Helper()
	dir := t.TempDir()
	git = filepath.Join(dir, "git")
	log := filepath.Join(dir, "log")
	script := fmt.Sprintf("#!/bin/sh\necho \"$1\" >> %q\nGIT_TRACE=%q exec %q \"$@\"\n", log, filepath.Join(dir, "trace"), gitPath(t))
	if err := os.WriteFile(git, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return git, func() []string {
		data, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		trace, err := os.ReadFile(filepath.Join(dir, "trace"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(trace)) {
			if _, started, ok := strings.Cut(line, "run_command: "); ok {
				data = append(data, "child: "+started...)
			}
		}
		return strings.Split(strings.TrimSpace(string(data)), "\n")
	}
}

// TestDesignGitMaintainsNothingByItself: no process of a promotion starts one
// that collects, packs or fetches on its own.
func TestDesignGitMaintainsNothingByItself(t *testing.T) {
	t.Parallel()
	git, names := called(t)
	sc := newScene(t, func(o *gitrepo.Options) { o.Git = git })
	base := sc.origin.commit("base", map[string]string{"a": "1"})
	sc.origin.push()
	sc.fetch()
	if _, _, _, err := sc.repo.ReadFile(t.Context(), base, "a"); err != nil {
		t.Fatal(err)
	}
	sc.push(false, promotion.RefUpdate{Ref: ledger, New: sc.newCommit(base, "mine", write("b", "x"))})
	sc.fetch()
	all := names()
	if len(all) < 10 {
		t.Fatalf("only %d commands were seen", len(all))
	}
	for _, name := range all {
		for _, bad := range []string{"gc", "maintenance", "repack", "prune", "--filter=blob:none --stdin"} {
			if strings.Contains(" "+name+" ", " "+bad+" ") {
				t.Errorf("git ran %s", name)
			}
		}
	}
}

// TestDesignCostGrowsWithDepthNotWithFiles: a folder's promotion takes as many
// git processes in a repository of 4,000 files as in one of 40.
func TestDesignCostGrowsWithDepthNotWithFiles(t *testing.T) {
	t.Parallel()
	processes := map[int]int{}
	for _, services := range []int{1, 100} {
		git, names := called(t)
		sc := newScene(t, func(o *gitrepo.Options) { o.Git = git })
		size := sized{services: services, files: 4}
		size.fill(t, sc.origin)
		base := sc.fetch()[mainRef]
		before := len(names())
		sc.server.reset()
		dev, err := sc.repo.List(t.Context(), base, []string{"services/svc-00000/overlays/env-0"})
		if err != nil || len(dev) != 4 {
			t.Fatalf("%d files, error %v", len(dev), err)
		}
		var edits []content.Edit
		for path, f := range dev {
			edits = append(edits, content.Edit{Path: strings.Replace(path, "env-0", "env-1", 1), Mode: f.Mode, Blob: f.Blob})
		}
		sc.newCommit(base, "promote one folder", edits...)
		processes[services] = len(names()) - before
		if n := sc.server.requests(); len(n) != 0 {
			t.Errorf("%d files: requests %v", size.total(), n)
		}
	}
	if processes[1] != processes[100] || processes[1] > 12 {
		t.Errorf("%d processes for 40 files, %d for 4,000: want as many, and few", processes[1], processes[100])
	}
}

// TestDesignNothingButThePushFollowsTheBase: once the base is fetched, making the
// commits asks nothing, and the push asks what a push must.
func TestDesignNothingButThePushFollowsTheBase(t *testing.T) {
	t.Parallel()
	sc := newScene(t)
	files := map[string]string{}
	for i := range 521 {
		files[fmt.Sprintf("services/s%03d/values.yaml", i)] = fmt.Sprintf("image: %d\n", i)
	}
	sc.origin.commit("base", files)
	sc.origin.push()
	base := sc.fetch()[mainRef]
	sc.server.reset()
	var updates []promotion.RefUpdate
	for i := range 20 {
		id := sc.newCommit(base, "promote", write(fmt.Sprintf("services/s%03d/values.yaml", i), "image: new\n"))
		updates = append(updates,
			promotion.RefUpdate{Ref: fmt.Sprintf("refs/promobot/s%03d/prod", i), New: sc.entry(id)},
			promotion.RefUpdate{Ref: fmt.Sprintf("refs/heads/promobot/s%03d", i), New: id})
	}
	if n := sc.server.requests(); len(n) != 0 {
		t.Errorf("making commits asked %v", n)
	}
	for _, r := range sc.push(false, updates...) {
		if r.Status != promotion.Pushed {
			t.Fatalf("got %+v", r)
		}
	}
	asked := sc.server.requests()
	negotiation := asked["git-upload-pack"]
	delete(asked, "git-upload-pack")
	want := map[string]int{"advertise git-receive-pack": 1, "git-receive-pack": 1, "advertise git-upload-pack": 1}
	if diff := cmp.Diff(want, asked); diff != "" || negotiation > 2 {
		t.Errorf("%d requests to negotiate; others (-want +got):\n%s", negotiation, diff)
	}
	if n := sc.seen.get("blobs"); n != 0 {
		t.Errorf("%d fetches of blobs", n)
	}
	// A commit, three trees, a blob and an entry each, and one empty tree.
	if n := sc.server.sent(); n > 20*6+1 {
		t.Errorf("the push sent %d objects, want %d at most", n, 20*6+1)
	}
}
