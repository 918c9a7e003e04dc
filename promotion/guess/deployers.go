package guess

// What deploys the folders: Argo CD Applications and ApplicationSets, Flux
// Kustomizations. They decide nothing here; where they name a folder that was
// found, that is a reason more.

import (
	"path"
	"strings"

	"github.com/promobot/promobot/promotion/config"
)

// deployer is a folder that something deploys.
type deployer struct {
	file, kind, path string
}

// deployers reads them from the default branch.
func (s *search) deployers() {
	said := map[string]bool{}
	for _, p := range s.repository.Paths {
		if !wanted(p) {
			continue
		}
		for _, d := range deployersIn(p, s.repository.Contents[config.At{Path: p}]) {
			for _, sh := range s.shapes {
				where := sh.of(d.path)
				if sh.branch != "" || where == "" || said[d.kind+where] {
					continue
				}
				said[d.kind+where] = true
				s.because("%s: this %s deploys %s", d.file, d.kind, d.path)
			}
		}
	}
}

// of is the folder of a shape that a deployer's path means, "" for none.
func (s *shape) of(deployed string) string {
	if cut := strings.IndexAny(deployed, "{*"); cut >= 0 {
		if deployed = strings.TrimSuffix(deployed[:cut], "/"); deployed == "" {
			return ""
		}
		for _, p := range s.places {
			if before, _, _ := strings.Cut(p.template, environmentHole); strings.TrimSuffix(before, "/") == deployed || strings.HasPrefix(before, deployed+"/") {
				return deployed
			}
		}
		return ""
	}
	for _, p := range s.places {
		for _, m := range p.members {
			if dir := path.Dir(m.at.Path); dir == deployed {
				return deployed
			}
		}
	}
	return ""
}

func deployersIn(p string, src []byte) []deployer {
	var out []deployer
	add := func(kind, at string) {
		if at = strings.TrimPrefix(path.Clean(at), "./"); at != "." && at != "" && !strings.HasPrefix(at, "..") {
			out = append(out, deployer{file: p, kind: kind, path: at})
		}
	}
	for _, doc := range documents(src) {
		switch text(doc, "kind") {
		case "Application":
			add("Argo CD Application", text(doc, "spec", "source", "path"))
		case "ApplicationSet":
			add("Argo CD ApplicationSet", text(doc, "spec", "template", "spec", "source", "path"))
			for _, g := range items(doc, "spec", "generators") {
				for _, d := range items(g, "git", "directories") {
					add("Argo CD ApplicationSet", text(d, "path"))
				}
			}
		case "Kustomization":
			if strings.HasPrefix(text(doc, "apiVersion"), "kustomize.toolkit.fluxcd.io/") {
				add("Flux Kustomization", text(doc, "spec", "path"))
			}
		}
	}
	return out
}
