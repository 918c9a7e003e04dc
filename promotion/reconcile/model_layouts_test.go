package reconcile_test

// What the model's repositories look like: folders on one branch, branches that
// share no ancestor, hydrated branches, versions that a source brings, and
// services that are gathered. Each seed draws one, and what its environments
// say.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/content"
	"github.com/promobot/promobot/state"
)

// layout is where a repository keeps its environments.
type layout struct {
	name         string
	pipelines    []string
	environments []string
	upstreams    map[string][]string
	files        []string // that are promoted
	bases        []string // refs
	branch       func(environment string) string
	dir          func(pipeline, environment string) string
	// hydrated says that an environment's content comes from a branch beside its own.
	hydrated bool
	// source is the environment that takes releases; managed says that promobot
	// only learns of them.
	source  string
	managed bool
}

func (l *layout) isBase(ref string) bool {
	return slices.Contains(l.bases, ref)
}

func (l *layout) ref(environment string) string { return heads + l.branch(environment) }

func (l *layout) next(environment string) string { return l.ref(environment) + "-next" }

// draw picks a layout.
func draw(w *world) *layout {
	onMain := func(string) string { return "main" }
	perEnv := func(e string) string { return "env/" + e }
	switch w.rng.IntN(8) {
	case 0: // two stagings that have to agree, folders on one branch
		return &layout{
			name: "branches", pipelines: []string{"app"}, environments: []string{"qa", "staging", "prod"},
			upstreams: map[string][]string{"staging": {"qa"}, "prod": {"staging"}}, files: []string{"version.yml", "settings.yml"},
			bases: []string{main, heads + "env/qa", heads + "env/staging", heads + "env/prod"}, branch: perEnv, dir: func(string, string) string { return "app" },
		}
	case 1:
		return &layout{
			name: "hydrated", pipelines: []string{"app"}, environments: []string{"qa", "staging", "prod"}, hydrated: true,
			upstreams: map[string][]string{"staging": {"qa"}, "prod": {"staging"}}, files: []string{"version.yml", "settings.yml"},
			bases: []string{main, heads + "env/qa", heads + "env/staging", heads + "env/prod"}, branch: perEnv, dir: func(string, string) string { return "app" },
		}
	case 2:
		return &layout{
			name: "versions", pipelines: []string{"app"}, environments: []string{"qa", "staging", "prod"}, source: "qa", managed: w.rng.IntN(2) == 0,
			upstreams: map[string][]string{"staging": {"qa"}, "prod": {"staging"}}, files: []string{"version.yml"},
			bases: []string{main}, branch: onMain, dir: func(_, e string) string { return "envs/" + e },
		}
	case 3, 4:
		return &layout{
			name: "services", pipelines: []string{"services/a", "services/b", "services/c"}, environments: []string{"qa", "staging", "prod"},
			upstreams: map[string][]string{"staging": {"qa"}, "prod": {"staging"}}, files: []string{"version.yml", "settings.yml"},
			bases: []string{main}, branch: onMain, dir: func(p, e string) string { return p + "/" + e },
		}
	}
	return &layout{
		name: "folders", pipelines: []string{"app"}, environments: []string{"qa", "staging-us", "staging-eu", "prod-us", "prod-eu"},
		upstreams: map[string][]string{"staging-us": {"qa"}, "staging-eu": {"qa"}, "prod-us": {"staging-us"}, "prod-eu": {"staging-us", "staging-eu"}},
		files:     []string{"version.yml", "settings.yml"}, bases: []string{main}, branch: onMain, dir: func(_, e string) string { return "envs/" + e },
	}
}

// says draws what an environment says of how a promotion travels.
func (w *world) says(environment string) string {
	pick := func(of ...string) string { return of[w.rng.IntN(len(of))] }
	mode := pick("auto", "auto", "propose")
	keys := []string{"mode: " + mode}
	if mode == "auto" && w.rng.IntN(3) == 0 {
		keys = append(keys, "deliver: push")
	} else {
		keys = append(keys, "newer: "+pick("update", "update", "supersede", "queue"))
		if mode == "auto" {
			keys = append(keys, "merge: "+pick("promobot", "promobot", "github", "queue"))
		}
	}
	if w.rng.IntN(4) == 0 {
		keys = append(keys, "commits: verified")
	}
	if w.layout.name == "services" && environment == "staging" && w.rng.IntN(4) != 0 {
		keys = []string{"mode: " + mode, "batch: hourly"}
	}
	keys = append(keys, w.verifies(environment))
	w.settings[environment] = strings.Join(keys, ", ")
	return w.settings[environment]
}

// pipelineFile is the layout's, with what the seed draws.
func (w *world) pipelineFile() string {
	const limits = "version: 1\nlimits: {open: 20, per_hour: 200, per_environment: 8}\n"
	three := func(first, common string) string {
		return fmt.Sprintf("environments:\n  qa: {%s}\n  staging: {from: qa, %s}\n  prod: {from: staging, %s}\n"+common, first, w.says("staging"), w.says("prod"))
	}
	switch w.layout.name {
	case "branches":
		return limits + three("verify: none", "pipelines:\n  app:\n    path: app\n    branch: env/$env\n    promote: [{files: [version.yml, settings.yml]}]\n")
	case "hydrated":
		return limits + three("verify: none, mode: auto, deliver: push", "pipelines:\n  app:\n    path: app\n    branch: env/$env\n    read: {branch: env/$env-next}\n    revision: {in: metadata.yml, value: drySha}\n    promote: [{files: [version.yml, settings.yml, metadata.yml]}]\n")
	case "versions":
		first := "verify: none, source: {release: acme/app}, mode: auto"
		if w.layout.managed {
			first = "verify: none, managed: elsewhere, source: {dispatch: released, version: version}"
		}
		return limits + three(first, "pipelines:\n  app:\n    path: envs/$env\n    promote: {values: image, in: version.yml}\n")
	case "services":
		return limits + three("verify: none", "pipelines:\n  services:\n    for_each: services/$name\n    path: services/$name/$env\n    promote: [{files: [version.yml, settings.yml]}]\n")
	}
	return limits + fmt.Sprintf(`environments:
  qa:         {verify: none}
  staging-us: {from: qa, %s}
  staging-eu: {from: qa, %s}
  prod-us:    {from: staging-us, %s}
  prod-eu:    {from: [staging-us, staging-eu], after: prod-us, %s}
pipelines:
  app:
    path: envs/$env
    promote:
      - files: [version.yml, settings.yml]
`, w.says("staging-us"), w.says("staging-eu"), w.says("prod-us"), w.says("prod-eu"))
}

// populate makes the repository.
func (w *world) populate() {
	trees := map[string]tree{}
	put := func(ref, path, text string) {
		if trees[ref] == nil {
			trees[ref] = tree{}
		}
		trees[ref][path] = content.File{Mode: "100644", Blob: w.blob([]byte(text))}
	}
	put(main, config.Path, w.pipelineFile())
	l := w.layout
	for _, p := range l.pipelines {
		for i, e := range l.environments {
			refs := []string{l.ref(e)}
			if l.hydrated {
				refs = append(refs, l.next(e))
			}
			for _, ref := range refs {
				put(ref, l.dir(p, e)+"/version.yml", fmt.Sprintf("image: 1.%d.0\n", 10-i))
				put(ref, l.dir(p, e)+"/settings.yml", "a: 1\n\nb: 1\n\nc: 1\n\nd: 1\n")
				put(ref, l.dir(p, e)+"/replicas.yml", fmt.Sprintf("replicas: %d\n", i))
				if l.hydrated {
					put(ref, l.dir(p, e)+"/metadata.yml", "drySha: dry0\n")
				}
			}
		}
	}
	for ref, files := range trees {
		c := w.commit(files, nil, promotion.Person{Name: person}, w.now, "init "+ref)
		w.setRef(ref, c.ID, person)
	}
}

// hydrate writes a new revision to the source branches, one environment at a
// time, as a hydrator does.
func (w *world) hydrate() {
	w.nonce++
	for _, e := range w.layout.environments {
		ref := w.layout.next(e)
		dir := w.layout.dir("app", e)
		w.pushTo(ref, map[string]string{
			dir + "/version.yml":  fmt.Sprintf("image: 3.%d.0\n", w.nonce),
			dir + "/metadata.yml": fmt.Sprintf("drySha: dry%d\n", w.nonce),
		})
		if w.rng.IntN(6) == 0 {
			return // it was stopped half-way, and comes again with the next
		}
	}
}

// release brings a version, now and then an older one late.
func (m *model) release() {
	w := m.w
	w.nonce++
	name := fmt.Sprintf("4.%d.0", w.nonce)
	if w.rng.IntN(4) == 0 {
		name = fmt.Sprintf("3.%d.0", w.nonce)
	}
	w.versions = append(w.versions, name)
	if !w.layout.managed {
		w.note("acme/app releases %s", name)
		w.releases = append([]promotion.Version{{Name: name, Time: w.now}}, w.releases...)
		return
	}
	w.note("a dispatch brings %s", name)
	m.letters = append(m.letters, letter(w, name))
}

// checkVersion states what a version may change: the one value, and nothing else.
func (w *world) checkVersion(ref string, st state.Environment, made, base *commit, changed []string) {
	dir := w.layout.dir("app", environmentOf(ref))
	if len(changed) != 1 || changed[0] != dir+"/version.yml" {
		w.breaks("Only the target", "%s: the promotion changes %v", ref, changed)
		return
	}
	if got := string(w.blobs[made.files[changed[0]].Blob]); got != fmt.Sprintf("image: %s\n", st.Promotion.Revision) {
		w.breaks("Doubt waits", "%s: %s became %q, not %s", ref, changed[0], got, st.Promotion.Revision)
	}
	known := false
	for _, v := range w.versions {
		known = known || v == st.Promotion.Revision
	}
	if st.Promotion.From == state.Source && !known {
		w.breaks("Doubt waits", "%s: %s was never released", ref, st.Promotion.Revision)
	}
}

func environmentOf(ref string) string {
	_, e, _ := state.ParseRef(ref)
	return e
}
