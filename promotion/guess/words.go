package guess

// Names of environments: which words mean one, how far along it is, and which
// words only tell apart environments that stand beside each other.

import (
	"regexp"
	"slices"
	"strings"
)

// ranks are the words by how far along a pipeline they stand.
var ranks = map[string]int{
	"sandbox": 10, "local": 8, "dev": 10, "develop": 10, "development": 10,
	"int": 20, "integ": 20, "integration": 20, "test": 22, "tst": 22, "testing": 22, "e2e": 24, "sit": 24, "load": 26, "perf": 26, "performance": 26,
	"qa": 30, "quality": 30, "nonprod": 35,
	"staging": 40, "stage": 40, "stg": 40, "stag": 40, "uat": 45, "acceptance": 45, "acc": 45, "demo": 45,
	"preprod": 50, "preproduction": 50, "ppd": 50, "preview": 48,
	"canary": 60, "pilot": 60,
	"prod": 70, "prd": 70, "production": 70, "live": 70,
}

// similar are ranks whose order is a matter of taste, so that it is said.
var similar = [][2]int{{20, 22}, {22, 24}, {22, 26}, {24, 26}, {40, 45}, {45, 48}, {45, 50}, {48, 50}}

// Words that tell environments of one rank apart. geography alone makes a folder
// a region; the others only do beside a word of ranks, since services are called
// such things, too.
var (
	geography = regexp.MustCompile(`^(us|usa|eu|europe|emea|asia|apac|ap|latam|east|west|north|south|central|northeast|northwest|southeast|southwest|useast|uswest|cluster|region|zone)\d{0,2}$`)
	beside    = regexp.MustCompile(`^(sa|ca|me|af|na|uk|gb|de|fr|nl|in|jp|sg|au|global|primary|secondary|non|gpu|cpu|blue|green|az|dc|dr|[a-z]?\d{1,2})$`)
)

func tellsApart(word string) bool { return geography.MatchString(word) || beside.MatchString(word) }

// containers are folders whose children are environments, whatever their names.
var containers = map[string]bool{"envs": true, "env": true, "environments": true, "environment": true, "overlays": true, "overlay": true, "stages": true, "clusters": true, "variants": true}

// neverEnvironments stand beside environments and are none.
var neverEnvironments = map[string]bool{"base": true, "bases": true, "common": true, "shared": true, "default": true, "defaults": true, "templates": true, "components": true, "all": true, "global": true, "lib": true, "root": true, "local": true, "argocd": true, "flux-system": true, "in-cluster": true}

// name is a name of an environment.
type name struct {
	raw    string // as it stands in the path; for a region in a folder of its own, staging/eu
	env    string // as the pipeline file may say it
	rank   int    // 0: not known
	within string // what tells it from others of its rank: eu, non-gpu
}

var separators = regexp.MustCompile(`[-_./ ]+`)

func tokens(s string) []string { return separators.Split(strings.ToLower(s), -1) }

// rankOf is the rank a word has, with a number behind it or without; pre-prod
// and non-prod are words of their own.
func rankOf(word string) int {
	if r := ranks[word]; r > 0 {
		return r
	}
	return ranks[strings.TrimRight(word, "0123456789")]
}

// read takes a text for an environment's name; ok when all of its words are
// known, or, in a container, when it begins or ends with a known one.
func read(text string, container bool) (n name, ok bool) {
	n = name{raw: text, env: valid(text)}
	if n.env == "" || neverEnvironments[strings.ToLower(text)] {
		return n, false
	}
	words := tokens(text)
	joined := joinPrefixes(words)
	var rest []string
	known := true
	for i, w := range joined {
		r := rankOf(w)
		switch {
		case r == 60 && n.rank > 0, r > 0 && n.rank == 0, r > 0 && n.rank == 70 && r < 70:
			// prod-canary is the canary; of two others the first counts.
			if n.rank != 60 {
				n.rank = r
			}
			if digits := strings.TrimLeft(w, "abcdefghijklmnopqrstuvwxyz"); digits != "" && ranks[w] == 0 {
				rest = append(rest, digits)
			}
		case r > 0:
			rest = append(rest, w)
		case tellsApart(w):
			rest = append(rest, w)
		default:
			rest = append(rest, w)
			edge := i > 0 && rankOf(joined[0]) > 0 || i == 0 && rankOf(joined[len(joined)-1]) > 0
			known = known && container && edge
		}
	}
	n.within = strings.Join(rest, "-")
	return n, n.rank > 0 && known
}

// joinPrefixes joins pre-prod and non-prod.
func joinPrefixes(words []string) []string {
	var out []string
	for i := 0; i < len(words); i++ {
		if i+1 < len(words) && ranks[words[i]+words[i+1]] > 0 {
			out = append(out, words[i]+words[i+1])
			i++
			continue
		}
		out = append(out, words[i])
	}
	return out
}

// region says whether a text by itself names a region or a cluster.
func region(text string) bool {
	if neverEnvironments[strings.ToLower(text)] {
		return false
	}
	words := tokens(text)
	return slices.ContainsFunc(words, geography.MatchString) && !slices.ContainsFunc(words, func(w string) bool { return !tellsApart(w) })
}

var (
	invalid   = regexp.MustCompile(`[^a-z0-9]+`)
	validName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
)

// valid is a text as a name in the pipeline file; "" when nothing is left of it.
func valid(text string) string {
	s := strings.Trim(invalid.ReplaceAllString(strings.ToLower(text), "-"), "-")
	if len(s) > 40 {
		s = strings.Trim(s[:40], "-")
	}
	if !validName.MatchString(s) {
		return ""
	}
	return s
}
