package config

// How promotions of an environment travel: by pull request or push, merged by
// whom and how, one by one or gathered.
//
// Rules: the most particular place counts, one setting at a time. What cannot
// go together is refused where both are in force; a general merge, method or
// newer is no reason against a more particular deliver: push, since it still
// holds for other environments. A push needs mode auto; wherever the mode is
// lower, which one line of the file can bring about at any time, pull requests
// are opened instead.

import (
	"fmt"
	"regexp"
	"strconv"
	_ "time/tzdata" // a zone is valid or not wherever promobot runs

	"go.yaml.in/yaml/v3"
)

// deliverySpec are the keys of delivery that may stand wherever commonSpec does.
type deliverySpec struct {
	deliver  said[Deliver]
	merge    said[MergeBy]
	method   said[string]
	newer    said[Newer]
	verified said[bool] // commits: verified
	records  said[bool] // deployments: record
}

var (
	deliverShape = convert(oneOf(string(ByPullRequest), string(ByPush)), func(s string) Deliver { return Deliver(s) })
	mergeShape   = convert(oneOf(string(MergeByPromobot), string(MergeByGitHub), string(MergeByQueue)), func(s string) MergeBy { return MergeBy(s) })
	methodShape  = oneOf("merge", "squash", "rebase")
	newerShape   = convert(oneOf(string(NewerUpdates), string(NewerSupersedes), string(NewerQueues)), func(s string) Newer { return Newer(s) })
	commitsShape = convert(oneOf("plain", "verified"), func(s string) bool { return s == "verified" })
	recordShape  = convert(oneOf("none", "record"), func(s string) bool { return s == "record" })
)

// deliveryFields are the keys of deliverySpec for whatever holds one.
func deliveryFields[T any](in func(*T) *deliverySpec) []field[T] {
	return []field[T]{
		key("deliver", deliverShape, "pull_request", "how promotions reach the branch. `push`: the commit goes straight to it, with `mode: auto` only; where the mode is lower, and for what a person has to look at, pull requests are opened. The most particular one counts",
			func(t *T) *said[Deliver] { return &in(t).deliver }),
		key("merge", mergeShape, "promobot", "who merges with `mode: auto`: `promobot`; GitHub's auto-merge (`github`) or its merge queue (`queue`), which promise less: between GitHub's last look and its merge nothing can stop it. The most particular one counts",
			func(t *T) *said[MergeBy] { return &in(t).merge }),
		key("method", methodShape, "the first that the repository and the branch's rules allow", "how pull requests are merged: `merge`, `squash` or `rebase`. The most particular one counts",
			func(t *T) *said[string] { return &in(t).method }),
		key("newer", newerShape, "update", "what happens to an open promotion when something newer comes. `update`: its pull request moves on to it. `supersede`: it is closed, with a link to a new one. `queue`: each lands after the one before, none is left out. The most particular one counts",
			func(t *T) *said[Newer] { return &in(t).newer }),
		key("commits", commitsShape, "plain", "`verified`: GitHub makes and signs the commits, as rules that want signed commits ask for; one more request each. The most particular one counts",
			func(t *T) *said[bool] { return &in(t).verified }),
		key("deployments", recordShape, "none", "`record`: what promobot lands is recorded as a GitHub deployment of the environment PIPELINE/ENVIRONMENT, in progress until its verdict; it asks for the permission \"Deployments: read and write\". Never evidence for verify. The most particular one counts",
			func(t *T) *said[bool] { return &in(t).records }),
	}
}

// batchField is batch where it may gather.
func batchField[T any](into func(*T) *said[Batch]) field[T] {
	return key("batch", batchShape, "never", "when promotions to this environment are gathered into one pull request: `hourly` (each full hour), `daily` (00:00 UTC), at a time of day (UTC unless a zone is named), or `never`. The most particular one counts", into)
}

var timeOfDay = regexp.MustCompile(`^([01][0-9]|2[0-3]):([0-5][0-9])(?: ([A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}))?$`)

const batchWords = `hourly, daily, never or a time, as "06:00" or "06:00 Europe/Berlin"`

var batchShape = scalar(batchWords, textType, schema{"type": "string", "anyOf": []any{
	schema{"enum": []any{"hourly", "daily", "never"}}, schema{"pattern": timeOfDay.String()},
}}, parseBatch)

func parseBatch(s string) (Batch, *refusal) {
	switch s {
	case "hourly":
		return Batch{Hourly: true}, nil
	case "daily":
		return Batch{Daily: true}, nil
	case "never":
		return Batch{}, nil
	}
	m := timeOfDay.FindStringSubmatch(s)
	if m == nil {
		return Batch{}, refuse("write "+batchWords, "%s is no time to gather", clip(s))
	}
	twoDigits := func(s string) int { return int(s[0]-'0')*10 + int(s[1]-'0') }
	b := Batch{Daily: true, Hour: twoDigits(m[1]), Minute: twoDigits(m[2])}
	if m[3] != "" && m[3] != "UTC" {
		zone, bad := loadZone(m[3])
		if bad != nil {
			return Batch{}, bad
		}
		b.Zone = zone
	}
	return b, nil
}

// neverBatch is batch in an override: it can only take out.
var neverBatch = only(batchShape, "never", "write batch: never, which takes these out; when to gather is said under environments",
	func(b Batch) bool { return !b.Batched() })

// onlyPullRequest is deliver in an override: a pull request is the tighter way.
var onlyPullRequest = only(deliverShape, string(ByPullRequest), "write deliver: pull_request; an override may only tighten",
	func(d Deliver) bool { return d == ByPullRequest })

// only is a shape with all but one of its words refused.
func only[V any](s shape[said[V]], word, remedy string, is func(V) bool) shape[said[V]] {
	return shape[said[V]]{words: word, schema: oneOf(word).schema, read: func(d *decoder, path string, n *yaml.Node) (said[V], bool) {
		v, ok := s.read(d, path, n)
		if ok && !is(v.value) {
			d.at(n, fmt.Sprintf("%s: %s would loosen", path, clip(n.Value)), remedy)
			return said[V]{}, false
		}
		return v, ok
	}}
}

// level is one of the places where a setting can be said.
type level struct {
	*commonSpec
	what string // "" for the file
}

// The places, the most particular first.
const (
	ownLevel = iota
	pipelineLevel
	environmentLevel
	fileLevel
)

func (f *File) levels(l *layout, e *environmentLayout) []level {
	group := "pipelines." + l.group.value
	return []level{
		ownLevel:         {&e.own.commonSpec, group + ".environments." + e.name.value},
		pipelineLevel:    {&l.spec.commonSpec, group},
		environmentLevel: {&e.file.commonSpec, "environments." + e.name.value},
		fileLevel:        {&f.doc.commonSpec, ""},
	}
}

// found is a setting with the place that counts.
type found[V any] struct {
	position
	value V
	level int
	what  string
}

// or is the value, or the default where none was said.
func (f found[V]) or(fallback V) V {
	if f.said() {
		return f.value
	}
	return fallback
}

func find[V any](levels []level, key string, get func(*commonSpec) said[V]) found[V] {
	for i, c := range levels {
		if v := get(c.commonSpec); v.said() {
			return found[V]{v.position, v.value, i, join(c.what, key)}
		}
	}
	return found[V]{level: len(levels), what: "default"}
}

// delivery is how promotions of an environment travel, before overrides.
type delivery struct {
	deliver  found[Deliver]
	merge    found[MergeBy]
	method   found[string]
	newer    found[Newer]
	verified found[bool]
	records  found[bool]
	batch    found[Batch]
}

func (f *File) delivery(l *layout, e *environmentLayout) delivery {
	levels := f.levels(l, e)
	return delivery{
		deliver:  find(levels, "deliver", func(c *commonSpec) said[Deliver] { return c.deliver }),
		merge:    find(levels, "merge", func(c *commonSpec) said[MergeBy] { return c.merge }),
		method:   find(levels, "method", func(c *commonSpec) said[string] { return c.method }),
		newer:    find(levels, "newer", func(c *commonSpec) said[Newer] { return c.newer }),
		verified: find(levels, "commits", func(c *commonSpec) said[bool] { return c.verified }),
		records:  find(levels, "deployments", func(c *commonSpec) said[bool] { return c.records }),
		batch: find(levels, "batch", func(c *commonSpec) said[Batch] {
			switch c {
			case &e.own.commonSpec:
				return e.own.batch
			case &l.spec.commonSpec:
				return l.spec.batch
			case &e.file.commonSpec:
				return e.file.batch
			}
			return said[Batch]{}
		}),
	}
}

// settleDelivery fills how promotions travel, with what overrides tighten.
func (f *File) settleDelivery(l *layout, e *environmentLayout, overrides []int, s *settled, set func(key, value string, line int, what string)) {
	v := f.delivery(l, e)
	for _, i := range overrides {
		o := &f.doc.overrides.value[i]
		at := fmt.Sprintf("overrides[%d].", i)
		if o.deliver.said() && v.deliver.or(ByPullRequest) != ByPullRequest {
			v.deliver = found[Deliver]{position: o.deliver.position, value: o.deliver.value, what: at + "deliver"}
		}
		if o.batch.said() && v.batch.value.Batched() {
			v.batch = found[Batch]{position: o.batch.position, value: o.batch.value, what: at + "batch"}
		}
	}
	s.Deliver, s.Merge, s.Newer = v.deliver.or(ByPullRequest), v.merge.or(MergeByPromobot), v.newer.or(NewerUpdates)
	s.Method, s.Batch, s.VerifiedCommits, s.Records = v.method.value, v.batch.value, v.verified.value, v.records.value
	way := string(s.Deliver)
	if s.Deliver == ByPush && s.Mode != Auto {
		way = "push (pull requests as long as the mode is not auto)"
	}
	set("deliver", way, v.deliver.line, v.deliver.what)
	set("merge", string(s.Merge), v.merge.line, v.merge.what)
	set("method", v.method.or("the first that is allowed"), v.method.line, v.method.what)
	set("newer", string(s.Newer), v.newer.line, v.newer.what)
	set("batch", s.Batch.String(), v.batch.line, v.batch.what)
	set("commits", map[bool]string{true: "verified", false: "plain"}[s.VerifiedCommits], v.verified.line, v.verified.what)
	set("deployments", map[bool]string{true: "record", false: "none"}[s.Records], v.records.line, v.records.what)
}

// checkDelivery refuses ways that do not go together.
func (l *layout) checkDelivery(d *decoder, f *File) {
	for _, e := range l.environments {
		if e.managed().value {
			continue // said where it is managed; see checkManaged
		}
		v, name := f.delivery(l, e), e.name.value
		if v.deliver.value == ByPush {
			l.checkPush(d, e, v)
		}
		if v.merge.value == MergeByQueue && v.method.said() && v.method.level <= v.merge.level {
			d.once(v.method.position, fmt.Sprintf("%s: %s goes through the merge queue (merge on line %d), and the queue decides how it merges", v.method.what, name, v.merge.line),
				"remove method, and set it in the queue's own rule")
		}
		if v.verified.value && v.method.value == "rebase" {
			d.once(v.method.position, fmt.Sprintf("%s: in %s commits are to be verified (line %d), and GitHub's rebase makes new ones without a signature", v.method.what, name, v.verified.line),
				"use method: squash or merge, or commits: plain")
		}
	}
}

// checkPush refuses what means nothing, or the opposite, beside deliver: push.
func (l *layout) checkPush(d *decoder, e *environmentLayout, v delivery) {
	name, mode := e.name.value, e.mode()
	if v.deliver.level == environmentLevel {
		mode = e.file.mode
		mode.value = mode.or(Propose)
	}
	if mode.value != Auto {
		if v.deliver.level == ownLevel || v.deliver.level == environmentLevel {
			said := "the default"
			if mode.said() {
				said = "line " + strconv.Itoa(mode.line)
			}
			d.once(v.deliver.position, fmt.Sprintf("%s: push needs mode auto, and the mode of %s is %s (%s): pull requests would be opened all the same", v.deliver.what, name, mode.value, said),
				"say mode: auto beside it, or remove deliver")
		}
		return // what stands here is for the pull requests
	}
	pushed := fmt.Sprintf("%s is delivered by push (line %d)", name, v.deliver.line)
	if a := e.approval(); a.said() {
		d.once(a.position, fmt.Sprintf("approval: %s, so that there is no pull request to approve", pushed), "remove approval, or say deliver: pull_request")
	}
	for _, k := range []struct {
		key   string
		at    position
		level int
		what  string
		wrong bool
	}{
		{"merge", v.merge.position, v.merge.level, v.merge.what, true},
		{"method", v.method.position, v.method.level, v.method.what, true},
		{"newer", v.newer.position, v.newer.level, v.newer.what, v.newer.value != NewerUpdates},
		{"batch", v.batch.position, 0, v.batch.what, v.batch.value.Batched()},
	} {
		if k.at.said() && k.wrong && k.level <= v.deliver.level {
			what := map[string]string{"newer": "nothing stays open that could be superseded or queued", "batch": "no pull request gathers anything"}[k.key]
			if what == "" {
				what = "nothing is merged"
			}
			d.once(k.at, fmt.Sprintf("%s: %s, so that %s", k.what, pushed, what), "remove "+k.key+", or say deliver: pull_request")
		}
	}
}
