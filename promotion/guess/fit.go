package guess

// The file is held against the repository before it is given: as `promobot
// validate --repo` does. What does not hold is left out, and said.

import (
	"slices"

	"github.com/promobot/promobot/promotion/config"
)

// fit drops pipelines until the file is valid.
func (f *draft) fit() {
	for len(f.pipelines) > 0 {
		text, at := f.written()
		problems := f.problems(text)
		if len(problems) == 0 {
			return
		}
		worst := f.pipelines[len(f.pipelines)-1]
		for _, p := range f.pipelines {
			if l := at[p]; problems[0].Line >= l.from && problems[0].Line <= l.to {
				worst = p
			}
		}
		f.foundDoubts = add(f.foundDoubts, sentence("pipeline %s (%s) is left out: %s; %s", worst.key, show(worst.path), problems[0].Message, problems[0].Remedy))
		f.pipelines = slices.DeleteFunc(f.pipelines, func(p *pipeline) bool { return p == worst })
		f.settle()
	}
}

// problems are all that `promobot validate --repo` would tell.
func (f *draft) problems(text []byte) config.Problems {
	file, problems := config.Parse(config.Path, text)
	if len(problems) > 0 {
		return problems
	}
	tree := config.Tree{Paths: f.repository.Paths, Default: f.repository.Default, Branches: f.repository.Branches}
	pipelines, problems := file.Resolve(tree)
	return append(problems, file.Check(pipelines, f.repository.Contents)...)
}
