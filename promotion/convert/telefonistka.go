package convert

// telefonistka.yaml (its documentation: "Repo Configuration").
//
// Telefonistka copies a component, a folder below sourcePath, to the same name
// below each of targetPaths, verbatim, when a pull request that changed it is
// merged. So each folder of components becomes an environment, each component a
// pipeline of for_each, and what is promoted is whole files.

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// flow is one of promotionPaths.
type flow struct {
	at      *yaml.Node
	source  string // as it is written, with its slash
	pattern *regexp.Regexp
	literal bool
	labels  []string
	merge   bool
	depth   int
	prs     []promotionPR
}

type promotionPR struct {
	at          *yaml.Node
	description string
	targets     []target
}

type target struct {
	at   *yaml.Node
	path string // without the slash at its end
	bare bool   // it was written without
}

type telefonistka struct {
	notes
	paths  []string // of the repository; nil when it is not known
	flows  []flow
	labels []string
	dryRun bool
}

// Telefonistka converts telefonistka.yaml. paths are the repository's files, by
// which folders are found that a regular expression means; nil where there is
// no repository to look at.
func Telefonistka(name string, src []byte, paths []string) (Result, error) {
	t := &telefonistka{notes: notes{name: name}, paths: paths}
	docs, err := documents(name, src)
	if err != nil {
		return Result{}, err
	}
	switch len(docs) {
	case 0:
		return Result{}, &Error{name, 1, "the file is empty; promotionPaths is wanted"}
	case 1:
	default:
		return Result{}, t.fail(docs[1], "a second YAML document begins here")
	}
	if err := t.read(docs[0]); err != nil {
		return Result{}, err
	}
	g, err := t.graph()
	if err != nil {
		return Result{}, err
	}
	text := t.write(g)
	if err := check(name, text); err != nil {
		return Result{}, err
	}
	return Result{File: text, Notes: t.all}, nil
}

// keysLeft are the keys that nothing here is like, with what to do instead.
var keysLeft = map[string]string{
	"toggleCommitStatus":           "promobot changes no other tool's commit status. People with the right let one promotion pass a gate by /promobot merge --past",
	"commentArgocdDiffonPR":        "promobot does not ask Argo CD. A workflow on promotion pull requests can comment the difference",
	"autoMergeNoDiffPRs":           "promobot does not ask Argo CD what would change; mode: auto merges by what verify names",
	"usaSHALabelForArgoDicovery":   "promobot does not ask Argo CD",
	"useSHALabelForArgoDicovery":   "promobot does not ask Argo CD",
	"argocd":                       "promobot does not ask Argo CD; name its checks or deployments under verify",
	"webhookEndpointRegexs":        "promobot does not forward webhooks",
	"whProxtSkipTLSVerifyUpstream": "promobot does not forward webhooks",
	"ignoreFiles":                  "there is no drift comment; a target that was changed by hand is said on the promotion's pull request, as kind drift",
	"ignoreLineRegex":              "there is no drift comment; a target that was changed by hand is said on the promotion's pull request, as kind drift",
}

func (t *telefonistka) read(doc *yaml.Node) error {
	all, err := t.fields(doc, "the file")
	if err != nil {
		return err
	}
	for _, f := range all {
		switch f.key {
		case "promotionPaths":
			err = t.readFlows(f.value)
		case "promtionPRlables", "promotionPRlabels", "promotionPrLabels":
			t.labels, err = t.texts(f.value, f.key)
		case "dryRunMode":
			if t.dryRun, err = t.truth(f.value, f.key); t.dryRun {
				t.note(f.at, Differs, "dryRunMode becomes mode: observe: decisions are shown on checks and pages, not as comments")
			}
		case "autoApprovePromotionPrs":
			var on bool
			if on, err = t.truth(f.value, f.key); on {
				t.note(f.at, Left, "promobot approves nothing. Where the branch's rules ask for a review, a person gives it, or the rules do not ask for one")
			}
		default:
			if why, known := keysLeft[f.key]; known {
				if on, err := t.truth(f.value, f.key); err != nil || on {
					t.note(f.at, Left, "%s: %s", f.key, why)
				}
				continue
			}
			hint := ""
			if strings.Contains(strings.ToLower(f.key), "template") {
				hint = "; texts of pull requests are set by title and body"
			}
			t.note(f.at, Left, "%s is not known%s", quoted(f.key), hint)
		}
		if err != nil {
			return err
		}
	}
	if len(t.flows) == 0 {
		return t.fail(doc, "promotionPaths is missing or empty, so there is nothing to convert")
	}
	return nil
}

func (t *telefonistka) readFlows(of *yaml.Node) error {
	list, err := t.list(of, "promotionPaths")
	if err != nil {
		return err
	}
	for i, n := range list {
		at := fmt.Sprintf("promotionPaths[%d]", i)
		all, err := t.fields(n, at)
		if err != nil {
			return err
		}
		fl := flow{at: n}
		for _, f := range all {
			switch what := at + "." + f.key; f.key {
			case "sourcePath":
				fl.at = f.value
				err = t.readSource(&fl, f.value, what)
			case "componentPathExtraDepth":
				var s string
				if s, err = t.text(f.value, what); err == nil {
					if fl.depth, err = strconv.Atoi(s); err != nil || fl.depth < 0 || fl.depth > 6 {
						err = t.fail(f.value, "%s is %s; a number from 0 to 6 is wanted", what, quoted(s))
					}
				}
			case "conditions":
				err = t.readConditions(&fl, f.value, what)
			case "promotionPrs":
				err = t.readPRs(&fl, f.value, what)
			default:
				t.note(f.at, Left, "%s is not known", quoted(f.key))
			}
			if err != nil {
				return err
			}
		}
		if fl.pattern == nil {
			return t.fail(n, "%s has no sourcePath", at)
		}
		if len(fl.prs) == 0 {
			t.note(n, Left, "%s names no promotionPrs, so nothing is promoted by it", at)
		}
		t.missingSlashes(&fl)
		t.flows = append(t.flows, fl)
	}
	return nil
}

// special are what makes a sourcePath an expression and not a folder; a dot is
// in many folders' names.
const special = `[](){}*+?|^$\`

func (t *telefonistka) readSource(fl *flow, of *yaml.Node, what string) error {
	s, err := t.text(of, what)
	if err != nil {
		return err
	}
	s = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(s, "^"), "./"), "/")
	if strings.Trim(s, "/") == "" || slices.Contains(strings.Split(s, "/"), "..") {
		return t.fail(of, "%s is %s; a folder of the repository is wanted", what, quoted(s))
	}
	fl.source, fl.literal = s, !strings.ContainsAny(s, special)
	folder := strings.TrimSuffix(s, "/")
	if fl.literal {
		folder = regexp.QuoteMeta(folder)
	}
	if fl.pattern, err = regexp.Compile("^(?:" + folder + ")$"); err != nil {
		return t.fail(of, "%s is no regular expression: %v", what, err)
	}
	return nil
}

func (t *telefonistka) readConditions(fl *flow, of *yaml.Node, what string) error {
	all, err := t.fields(of, what)
	if err != nil {
		return err
	}
	for _, f := range all {
		switch f.key {
		case "prHasLabels":
			fl.labels, err = t.texts(f.value, what+"."+f.key)
		case "autoMerge":
			fl.merge, err = t.truth(f.value, what+"."+f.key)
		default:
			t.note(f.at, Left, "the condition %s is not known", quoted(f.key))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *telefonistka) readPRs(fl *flow, of *yaml.Node, what string) error {
	list, err := t.list(of, what)
	if err != nil {
		return err
	}
	for i, n := range list {
		at := fmt.Sprintf("%s[%d]", what, i)
		all, err := t.fields(n, at)
		if err != nil {
			return err
		}
		pr := promotionPR{at: n}
		for _, f := range all {
			switch f.key {
			case "targetPaths":
				err = t.readTargets(&pr, f.value, at+".targetPaths")
			case "targetDescription":
				pr.description, err = t.text(f.value, at+"."+f.key)
			default:
				t.note(f.at, Left, "%s is not known", quoted(f.key))
			}
			if err != nil {
				return err
			}
		}
		if len(pr.targets) > 1 {
			t.note(n, Differs, "one pull request for %d folders: promobot opens one for each environment, so that each is merged, held and rolled back by itself", len(pr.targets))
		}
		fl.prs = append(fl.prs, pr)
	}
	return nil
}

func (t *telefonistka) readTargets(pr *promotionPR, of *yaml.Node, what string) error {
	list, err := t.list(of, what)
	if err != nil {
		return err
	}
	for _, n := range list {
		s, err := t.text(n, "an item of "+what)
		if err != nil {
			return err
		}
		clipped := strings.Trim(strings.TrimPrefix(s, "./"), "/")
		if clipped == "" || slices.Contains(strings.Split(clipped, "/"), "..") || strings.ContainsAny(clipped, "*?[]{}\\") || clean(clipped) != clipped || strings.Contains(clipped, "//") {
			return t.fail(n, "%s has %s; a folder of the repository is wanted", what, quoted(s))
		}
		pr.targets = append(pr.targets, target{n, clipped, !strings.HasSuffix(s, "/")})
	}
	return nil
}

// missingSlashes says what a forgotten slash would have done. Telefonistka joins
// sourcePath and the component's name as texts, and targetPaths and the name.
func (t *telefonistka) missingSlashes(fl *flow) {
	whole, said := !strings.HasSuffix(fl.source, "/"), false
	fl.source = strings.TrimSuffix(fl.source, "/")
	for _, pr := range fl.prs {
		for _, to := range pr.targets {
			switch {
			case whole && !said:
				said = true
				t.note(fl.at, Repaired, "sourcePath %s has no slash at its end: Telefonistka then takes the folder itself for a component without a name, and overwrites the whole folder %s with it, deleting what is only there. Here it is read as %s, and each component in it is promoted by itself", quoted(fl.source), to.path, quoted(fl.source+"/"))
			case to.bare && !whole:
				t.note(to.at, Repaired, "%s has no slash at its end: Telefonistka joins it to the component's name and writes to %sCOMPONENT, beside the folder. Here it is read as %s", quoted(to.path), to.path, quoted(to.path+"/"))
			}
		}
	}
}

// folder is an environment to be: a folder of components.
type folder struct {
	path        string
	env         string
	at          *yaml.Node // where it is named first
	from        []string   // paths
	auto        bool
	depth       int
	description string
}

// graph is what comes from where, in the order of the file.
type graph struct {
	folders []*folder
	byPath  map[string]*folder
}

func (g *graph) folder(path string, at *yaml.Node, depth int) *folder {
	if f := g.byPath[path]; f != nil {
		return f
	}
	f := &folder{path: path, at: at, depth: depth}
	g.folders, g.byPath[path] = append(g.folders, f), f
	return f
}

// graph finds the folders that each flow means.
func (t *telefonistka) graph() (*graph, error) {
	g := &graph{byPath: map[string]*folder{}}
	known := t.known()
	taken := map[string]int{} // by source folder: the line of the flow that counts
	for _, fl := range t.flows {
		if len(fl.labels) > 0 && t.twin(fl) {
			t.note(fl.at, Left, "the flow for pull requests with the label %s: promobot does not look at labels of what was merged. The flow without it counts, and /promobot promote sends something on at once", strings.Join(fl.labels, " or "))
			continue
		}
		if len(fl.labels) > 0 {
			t.note(fl.at, Differs, "the condition prHasLabels (%s) is left out: each change is promoted, to pull requests that people merge or close", strings.Join(fl.labels, ", "))
		}
		sources := []string{fl.source}
		if !fl.literal {
			if sources = matching(known, fl.pattern); len(sources) == 0 {
				if t.paths == nil {
					t.note(fl.at, Left, "no folder named in the file matches %s; with --repo the repository's folders are looked at", quoted(fl.source))
				} else {
					t.note(fl.at, Left, "no folder of the repository matches %s", quoted(fl.source))
				}
				continue
			}
			t.note(fl.at, Differs, "the expression %s means %s, as things stand; a new folder has to be added to the pipeline file", quoted(fl.source), strings.Join(sources, ", "))
		}
		sources = slices.DeleteFunc(sources, func(s string) bool {
			first, dup := taken[s]
			if dup {
				t.note(fl.at, Left, "for %s the flow of line %d comes first, so this one is never reached", s, first)
				return true
			}
			taken[s] = fl.at.Line
			return false
		})
		t.join(g, fl, sources)
	}
	if len(g.folders) == 0 {
		return nil, &Error{t.name, t.flows[0].at.Line, "no flow could be carried over: " + lastText(t.all)}
	}
	t.several(g)
	return g, nil
}

func lastText(all []Note) string {
	if len(all) == 0 {
		return "nothing is promoted by any"
	}
	return all[len(all)-1].Text
}

// twin says whether a flow of the same source has no condition on labels.
func (t *telefonistka) twin(fl flow) bool {
	return slices.ContainsFunc(t.flows, func(o flow) bool { return len(o.labels) == 0 && o.source == fl.source })
}

// known are the folders that the file names, and those of the repository.
func (t *telefonistka) known() []string {
	var out []string
	for _, fl := range t.flows {
		if fl.literal {
			out = append(out, fl.source)
		}
		for _, pr := range fl.prs {
			for _, to := range pr.targets {
				out = append(out, to.path)
			}
		}
	}
	for _, p := range t.paths {
		for i, r := range p {
			if r == '/' {
				out = append(out, p[:i])
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func matching(known []string, pattern *regexp.Regexp) []string {
	var out []string
	for _, k := range known {
		if pattern.MatchString(k) && !strings.ContainsAny(k, "*?[]{}\\") && clean(k) == k {
			out = append(out, k)
		}
	}
	return out
}

// join adds a flow's edges.
func (t *telefonistka) join(g *graph, fl flow, sources []string) {
	if len(sources) == 0 {
		return
	}
	for _, s := range sources {
		g.folder(s, fl.at, fl.depth)
	}
	for _, pr := range fl.prs {
		for _, to := range pr.targets {
			f := g.folder(to.path, to.at, fl.depth)
			f.auto = f.auto || fl.merge && len(fl.labels) == 0
			f.description = cmp.Or(f.description, pr.description)
			for _, s := range sources {
				if s != to.path && !slices.Contains(f.from, s) {
					f.from = append(f.from, s)
				}
			}
		}
	}
}

// several says what it means that a folder comes from several.
func (t *telefonistka) several(g *graph) {
	said := map[string]bool{}
	for _, f := range g.folders {
		if k := strings.Join(f.from, ", "); len(f.from) > 1 && !said[k] {
			said[k] = true
			t.note(f.at, Differs, "%s is copied from whichever of %s was merged last; here what they have must be equal in all of them, else it waits", f.path, k)
		}
	}
}
