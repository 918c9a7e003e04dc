package config

// The language: every key of the pipeline file with its shape, its default and
// its rule. Reading, the JSON Schema and the reference page come from these
// tables alone. A key that people look for in another place is listed as
// misplaced: it is refused with where it belongs instead of being called unknown.

import (
	"fmt"
	"time"

	"github.com/promobot/promobot/promotion/content"
)

// document is a pipeline file as written.
type document struct {
	position
	version said[int]
	mode    said[Mode]
	limits  limitsSpec
	commonSpec
	environments said[[]named[environmentSpec]]
	pipelines    said[[]named[pipelineSpec]]
	shared       list
	never        list
	checks       said[string]
	windows      said[[]named[windowSpec]]
	commands     commandsSpec
	overrides    said[[]overrideSpec]
}

// commonSpec are the keys that may stand on the file, an environment, a
// pipeline, and an environment of a pipeline.
type commonSpec struct {
	start                        said[bool] // true: reconcile
	labels, assignees, reviewers list
	title, body                  said[string]
	deliverySpec
}

type limitsSpec struct {
	open, perHour, perEnvironment said[int]
}

type environmentSpec struct {
	commonSpec
	from, after list
	optional    said[bool]
	mode        said[Mode]
	verify      verifySpec
	onFailure   said[[]stepSpec]
	rollback    said[Mode]
	window      list
	approval    said[bool]
	right       said[Right]
	allow       said[[]said[content.Kind]]
	limits      limitsSpec
	source      sourceSpec
	managed     said[bool] // elsewhere
	batch       said[Batch]
	// branch and read are said only under a pipeline's environments.
	branch place
	read   readSpec
}

type pipelineSpec struct {
	position
	commonSpec
	forEach  said[pathTemplate]
	path     place
	branch   place
	read     readSpec
	revision revisionSpec
	batch    said[Batch]
	promote  said[[]itemSpec]
	only     list // environments given as a list: the pipeline has only these
	own      said[[]named[environmentSpec]]
}

type itemSpec struct {
	position
	images, values, files said[[]said[pathTemplate]]
	match                 said[pathTemplate]
	in                    place
	except, keep          said[[]said[pathTemplate]]
	ifAbsent              said[string]
}

type overrideSpec struct {
	position
	name, pipelines, environments list
	mode                          said[Mode]
	allow                         said[[]said[content.Kind]]
	limits                        limitsSpec
	labels, assignees, reviewers  list
	deliver                       said[Deliver]
	batch                         said[Batch]
	approval                      said[bool]
	window                        list
	soak                          said[time.Duration]
}

var (
	globShape         = text("a glob of paths from the repository's root", 1000, checkGlob)
	labelShape        = text("a label", 50, checkLabel)
	loginShape        = text("a login", 106, matching(loginRegexp, "write a GitHub login without @", "login"))
	reviewerShape     = text("a login or org/team", 206, matching(reviewerRegexp, "write a GitHub login, or org/team, without @", "login or team"))
	selectorShape     = text("a name, in which * stands for any part", 300, nil)
	neverShape        = text("a glob of files, a value path, or kind: with a Kubernetes kind", 1000, checkNever)
	fileTemplate      = templated("a glob of files below path", checkGlob)
	valueTemplate     = templated("a value path", checkValuePath)
	imageTemplate     = templated("a glob of image names", checkImage)
	titleShape        = text("a template", 1000, checkTemplate(RenderTemplate))
	bodyShape         = text("a template", 20000, checkTemplate(RenderMarkdown))
	environmentsShape = mapOf("its settings", nameShape, environmentShape())
	ownShape          = mapOf("its settings", nameShape, ownEnvironmentShape())
	readBranchShape   = object("read", "", false, readFields())
	revisionShape     = object("revision", "", false, revisionFields())
)

// commonFields are the keys of commonSpec for whatever holds one.
func commonFields[T any](common func(*T) *commonSpec) []field[T] {
	fields := []field[T]{
		key("start", startShape, "now", "what happens to what stands when an environment enters the file. `now`: it is adopted, only later changes travel. `reconcile`: differences from upstream are proposed at once. The most particular one counts: pipeline's environment, pipeline, environment, file",
			func(t *T) *said[bool] { return &common(t).start }),
		key("labels", listOf(labelShape), "none", "labels of the pull requests; those of file, environment and pipeline are added up",
			func(t *T) *list { return &common(t).labels }),
		key("assignees", listOf(loginShape), "none", "people the pull requests are assigned to; added up like labels",
			func(t *T) *list { return &common(t).assignees }),
		key("reviewers", listOf(reviewerShape), "none", "people or teams asked for review; added up like labels",
			func(t *T) *list { return &common(t).reviewers }),
		key("title", titleShape, "promobot's own", "template of the pull request's title (see below). The most particular one counts",
			func(t *T) *said[string] { return &common(t).title }),
		key("body", bodyShape, "promobot's own", "template of the pull request's text; `{{.Text}}` is promobot's own. The most particular one counts",
			func(t *T) *said[string] { return &common(t).body }),
	}
	return append(fields, deliveryFields(func(t *T) *deliverySpec { return &common(t).deliverySpec })...)
}

func documentFields() []field[document] {
	fields := []field[document]{
		required("1", key("version", number(1), "", "the version of this language",
			func(f *document) *said[int] { return &f.version })),
		key("mode", modeShape, "auto (no ceiling)", "the ceiling for every environment: `observe` decides on checks and pages only, `propose` opens pull requests that people merge, `auto` merges. The lowest of all modes that apply counts, so this one line is also the brake",
			func(f *document) *said[Mode] { return &f.mode }),
		key("limits", fileLimitsShape(), "open 20, per_hour 30, per_environment 8", "how much promobot opens",
			func(f *document) *limitsSpec { return &f.limits }),
		required("{staging: {verify: none}, production: {from: staging}}", key("environments", environmentsShape, "", "the environments, said once; `from` makes their order",
			func(f *document) *said[[]named[environmentSpec]] { return &f.environments })),
		required(`{app: {path: envs/$env, promote: {images: "*"}}}`, key("pipelines", mapOf("its layout", nameShape, pipelineShape()), "", "where the environments are and what is promoted between them",
			func(f *document) *said[[]named[pipelineSpec]] { return &f.pipelines })),
		key("shared", listOf(globShape), "what kustomize resources and components of several environments have in common", "folders that several environments render at once; a pull request that touches one is told how far it reaches",
			func(f *document) *list { return &f.shared }),
		key("never", listOf(neverShape), "a kustomization's namespace, namePrefix and nameSuffix, files called secrets* or sealed secrets, `kind:SealedSecret`", "files and values that no pipeline can move; adds to the defaults. What has a slash is a glob of repository paths",
			func(f *document) *list { return &f.never }),
		key("checks", oneOf("affected", "all"), "affected", "which of people's pull requests get a `promobot` check run: those that touch an environment, a shared folder or this file, or `all` of them, so that it can be a required check",
			func(f *document) *said[string] { return &f.checks }),
		key("windows", windowsShape, "none", "when promotions may land, by names that environments take by `window`",
			func(f *document) *said[[]named[windowSpec]] { return &f.windows }),
		key("commands", commandsShape, "as below", "who may give which command in a comment, and how",
			func(f *document) *commandsSpec { return &f.commands }),
		key("overrides", listOf(overrideShape()), "none", "settings for some pipelines and environments; they may only tighten what stands before them, so put the general ones first",
			func(f *document) *said[[]overrideSpec] { return &f.overrides }),
	}
	fields = append(fields, commonFields(func(f *document) *commonSpec { return &f.commonSpec })...)
	fields = append(fields, misplacedAll[document]("say it where the environment is named, under environments.<name>", "verify", "on_failure", "rollback", "window", "approval", "right")...)
	fields = append(fields, misplacedAll[document](inVerify, verifyKeys...)...)
	return append(fields, misplaced[document]("holidays", "say it under windows.<name>"), misplaced[document]("when", inStep))
}

// Where keys belong that people look for elsewhere.
const (
	inVerify = "say it in verify where the environment is named, as verify: {checks: ci, soak: 1h}"
	inStep   = "say it in a step of on_failure, as on_failure: {restart: {when: [push, verification]}}"
)

var verifyKeys = []string{"soak", "timeout", "while_soaking", "red_for", "on_timeout", "hints"}

func misplacedAll[T any](remedy string, names ...string) []field[T] {
	fields := make([]field[T], 0, len(names))
	for _, n := range names {
		fields = append(fields, misplaced[T](n, remedy))
	}
	return fields
}

func fileLimitsShape() shape[limitsSpec] { return object("limits", "", false, fileLimitsFields()) }

func fileLimitsFields() []field[limitsSpec] {
	return []field[limitsSpec]{
		key("open", number(1000), "20", "open promotion pull requests in the repository",
			func(l *limitsSpec) *said[int] { return &l.open }),
		key("per_hour", number(1000), "30", "promotions begun in the repository within an hour",
			func(l *limitsSpec) *said[int] { return &l.perHour }),
		perEnvironmentField(),
	}
}

func perEnvironmentField() field[limitsSpec] {
	return key("per_environment", number(1000), "8", "open promotion pull requests of one environment over all pipelines",
		func(l *limitsSpec) *said[int] { return &l.perEnvironment })
}

func environmentLimitsShape() shape[limitsSpec] {
	return object("environment_limits", "", false, []field[limitsSpec]{perEnvironmentField()})
}

func environmentFields() []field[environmentSpec] {
	fields := []field[environmentSpec]{
		key("from", listOf(nameShape), "none: it is a first one", "the environments where content is read. Several: what they promote must be equal in all",
			func(e *environmentSpec) *list { return &e.from }),
		key("after", listOf(nameShape), "none", "environments that must have landed it before, without giving content",
			func(e *environmentSpec) *list { return &e.after }),
		key("optional", boolShape, "false", "true: where a pipeline has no such environment, those downstream take from its upstreams. Not optional and absent: blocked and shown, never jumped over",
			func(e *environmentSpec) *said[bool] { return &e.optional }),
		key("mode", modeShape, "propose", "how far promobot goes here. The lowest of all modes that apply counts",
			func(e *environmentSpec) *said[Mode] { return &e.mode }),
		key("verify", verifyShape, "none said", "what must hold after it landed, before it travels on. `none` says that landing is enough; where nothing is said, nothing below may have `mode: auto`",
			func(e *environmentSpec) *verifySpec { return &e.verify }),
		key("on_failure", policyShape, "halt", "what is tried, in this order, when a promotion or its verification has failed",
			func(e *environmentSpec) *said[[]stepSpec] { return &e.onFailure }),
		key("rollback", rollbackShape, "auto where `mode` is, else propose", "how far rollbacks go: `propose` opens pull requests that people merge, `auto` merges. Never above the file's `mode` or an override's",
			func(e *environmentSpec) *said[Mode] { return &e.rollback }),
		key("window", listOf(nameShape), "always open", "when promotions may land here, by names under `windows`; several must all be open",
			func(e *environmentSpec) *list { return &e.window }),
		key("approval", approvalShape, "not asked for", "`required`: before a promotion merges, a person has to say `/promobot approve`; not its author, and anew when what would land changes",
			func(e *environmentSpec) *said[bool] { return &e.approval }),
		key("right", changingRight, "write", "what commands about this environment ask for: a role in the repository, or a team as `acme/oncall`. `commands.rights` counts instead",
			func(e *environmentSpec) *said[Right] { return &e.right }),
		key("allow", listOf(kindShape), "none", "kinds of change that may merge by themselves in `mode: auto`: a file or value is created or deleted, a version goes down, the target was changed by someone since the last landing (drift), an added line names the source environment (leak), the change is large. Where downgrade, leak and large are all allowed, copied files that are no manifests and keep no value are taken over by their ids, unread",
			func(e *environmentSpec) *said[[]said[content.Kind]] { return &e.allow }),
		key("limits", environmentLimitsShape(), "the file's", "how much promobot opens here",
			func(e *environmentSpec) *limitsSpec { return &e.limits }),
		key("source", sourceShape(), "its path", "what brings new versions to an environment without `from`; they are written into what `promote` names here, which must be values, images or match. The newest counts, older ones arriving late change nothing",
			func(e *environmentSpec) *sourceSpec { return &e.source }),
		key("managed", managedShape, "no", "`elsewhere`: another tool writes here (Flux, an image updater). promobot never does; `source` tells it what runs, and that version is what those downstream get",
			func(e *environmentSpec) *said[bool] { return &e.managed }),
		batchField(func(e *environmentSpec) *said[Batch] { return &e.batch }),
	}
	fields = append(fields, commonFields(func(e *environmentSpec) *commonSpec { return &e.commonSpec })...)
	fields = append(fields, misplacedAll[environmentSpec](inVerify, verifyKeys...)...)
	return append(fields, misplaced[environmentSpec]("when", inStep),
		misplaced[environmentSpec]("windows", "define windows for the whole file, and name one here, as window: office"))
}

func environmentShape() shape[environmentSpec] {
	return object("environment", "One place a revision lands.", true, append(environmentFields(),
		misplaced[environmentSpec]("branch", "say it under pipelines.<name>, as branch: env/$env"),
		misplaced[environmentSpec]("read", "say it under pipelines.<name>, as read: {branch: env/$env-next}"),
		misplaced[environmentSpec]("revision", "say it under pipelines.<name>"),
		misplaced[environmentSpec]("path", "say it under pipelines.<name>, as path: envs/$env"),
	))
}

// ownEnvironmentShape is an environment under a pipeline, where layout is said too.
func ownEnvironmentShape() shape[environmentSpec] {
	return object("pipeline_environment", "What counts for an environment in this pipeline.", true, append(environmentFields(), placingFields()...))
}

// placingFields are the keys that an environment has under a pipeline only.
func placingFields() []field[environmentSpec] {
	return []field[environmentSpec]{
		branchField(func(e *environmentSpec) *place { return &e.branch }),
		readField(func(e *environmentSpec) *readSpec { return &e.read }),
	}
}

func branchField[T any](into func(*T) *place) field[T] {
	return key("branch", branchShape, "the default branch", "the branch the environment stands on; with `$env`, environments are branches. Environments that a mapping does not name stand on the default branch", into)
}

func readField[T any](into func(*T) *readSpec) field[T] {
	return key("read", readBranchShape, "the place of `from`", "content comes from the environment's own source branch, as a hydrator writes it. An environment without `from` takes each new state of it, but where `revision` names commits of the default branch, none of an older one that arrives late; one with `from` takes the revision that is next upstream, which needs `revision`. It may share no history with the branch", into)
}

func readFields() []field[readSpec] {
	return []field[readSpec]{
		required("env/$env-next", key("branch", branchShape, "", "the branch that content is read from",
			func(r *readSpec) *place { return &r.branch })),
	}
}

func revisionFields() []field[revisionSpec] {
	return []field[revisionSpec]{
		required("hydrator.metadata", key("in", templated("a file below path", func(s string) *refusal { return checkPath(s, false) }), "", "the YAML or JSON file that names the revision",
			func(r *revisionSpec) *said[pathTemplate] { return &r.in })),
		required("drySha", key("value", valueTemplate, "", "where it stands in the file",
			func(r *revisionSpec) *said[pathTemplate] { return &r.value })),
	}
}

func pipelineShape() shape[pipelineSpec] {
	return object("pipeline", "A flow of environments: where they are and what is promoted.", false, pipelineFields())
}

func pipelineFields() []field[pipelineSpec] {
	fields := []field[pipelineSpec]{
		key("for_each", templated("a path with $variables", func(s string) *refusal { return checkPath(s, false) }), "one pipeline", "a path with variables, each for one folder or file name or a part of it, as `services/$name`; one pipeline for each match that any environment has. `$env` stands for the environments' names, `*` for any part of a name",
			func(p *pipelineSpec) *said[pathTemplate] { return &p.forEach }),
		required("envs/$env", key("path", placeShape("a path with $env and the names of for_each"), "", "the environment's folder; `.` is the repository's root",
			func(p *pipelineSpec) *place { return &p.path })),
		branchField(func(p *pipelineSpec) *place { return &p.branch }),
		readField(func(p *pipelineSpec) *readSpec { return &p.read }),
		key("revision", revisionShape, "the commit", "what makes states of several branches the same revision (a hydrator's drySha): a value in a file of each",
			func(p *pipelineSpec) *revisionSpec { return &p.revision }),
		required(`{images: "*"}`, key("promote", listOf(itemShape()), "", "what moves: an allowlist",
			func(p *pipelineSpec) *said[[]itemSpec] { return &p.promote })),
		pipelineEnvironments(),
		batchField(func(p *pipelineSpec) *said[Batch] { return &p.batch }),
	}
	fields = append(fields, commonFields(func(p *pipelineSpec) *commonSpec { return &p.commonSpec })...)
	fields = append(fields, misplaced[pipelineSpec]("source", "say it where the environment is named, as environments: {dev: {source: {release: acme/app}}}"))
	fields = append(fields, misplacedAll[pipelineSpec]("say it under the pipeline's environments, as environments: {prod: {verify: none}}", "verify", "on_failure", "rollback", "window", "approval", "right")...)
	fields = append(fields, misplacedAll[pipelineSpec](inVerify, verifyKeys...)...)
	return append(fields, misplaced[pipelineSpec]("when", inStep))
}

func itemShape() shape[itemSpec] {
	return object("promote", "One entry of what moves: images, values, files or match.", false, itemFields())
}

func itemFields() []field[itemSpec] {
	type templates = said[[]said[pathTemplate]]
	return []field[itemSpec]{
		key("images", listOf(imageTemplate), "", "newTag and digest of these images in the kustomization, never newName",
			func(i *itemSpec) *templates { return &i.images }),
		key("values", listOf(valueTemplate), "", "values in the YAML or JSON file `in`, by keys joined by dots; list items by their name: `containers.web.image`",
			func(i *itemSpec) *templates { return &i.values }),
		key("files", listOf(fileTemplate), "", "whole files, by globs relative to `path`",
			func(i *itemSpec) *templates { return &i.files }),
		key("match", matchTemplate, "", "its one group moves, and it has exactly one hit in the file `in`; for templates and HCL",
			func(i *itemSpec) *said[pathTemplate] { return &i.match }),
		key("in", placeShape("a file below path"), "required with values and match", "the file in which values and match look",
			func(i *itemSpec) *place { return &i.in }),
		key("except", listOf(fileTemplate), "none", "with files: files that stay",
			func(i *itemSpec) *templates { return &i.except }),
		key("keep", listOf(valueTemplate), "none", "with files: values inside copied files that stay the target's own",
			func(i *itemSpec) *templates { return &i.keep }),
		key("if_absent", oneOf("error", "create"), "error", "with images and values: what happens when the target lacks the value",
			func(i *itemSpec) *said[string] { return &i.ifAbsent }),
	}
}

func overrideShape() shape[overrideSpec] {
	return object("override", "Settings for some pipelines and environments; they may only tighten.", false, overrideFields())
}

func overrideFields() []field[overrideSpec] {
	fields := []field[overrideSpec]{
		key("name", listOf(selectorShape), "all", "which of for_each's pipelines, by the values of its variables (several joined by /), or by the pipeline's name where there is no for_each",
			func(o *overrideSpec) *list { return &o.name }),
		key("pipelines", listOf(selectorShape), "all", "which pipelines, by their names in this file",
			func(o *overrideSpec) *list { return &o.pipelines }),
		key("environments", listOf(selectorShape), "all", "which environments",
			func(o *overrideSpec) *list { return &o.environments }),
		key("mode", modeShape, "", "a lower mode",
			func(o *overrideSpec) *said[Mode] { return &o.mode }),
		key("allow", listOf(kindShape), "", "fewer kinds of change; `[]` for none",
			func(o *overrideSpec) *said[[]said[content.Kind]] { return &o.allow }),
		key("limits", environmentLimitsShape(), "", "a lower limit",
			func(o *overrideSpec) *limitsSpec { return &o.limits }),
		key("deliver", onlyPullRequest, "", "pull requests where a push was said",
			func(o *overrideSpec) *said[Deliver] { return &o.deliver }),
		key("batch", neverBatch, "", "takes these out of the batch",
			func(o *overrideSpec) *said[Batch] { return &o.batch }),
		key("approval", approvalShape, "", "a person has to approve",
			func(o *overrideSpec) *said[bool] { return &o.approval }),
		key("window", listOf(nameShape), "", "more windows that have to be open",
			func(o *overrideSpec) *list { return &o.window }),
		key("soak", intervalShape, "", "a longer soak; the verification's timeout is put off by as much",
			func(o *overrideSpec) *said[time.Duration] { return &o.soak }),
		key("labels", listOf(labelShape), "", "more labels", func(o *overrideSpec) *list { return &o.labels }),
		key("assignees", listOf(loginShape), "", "more assignees", func(o *overrideSpec) *list { return &o.assignees }),
		key("reviewers", listOf(reviewerShape), "", "more reviewers", func(o *overrideSpec) *list { return &o.reviewers }),
	}
	const tighter = "%s; an override may only tighten, and of two none is the tighter: say it under pipelines.<name>.environments.<name>"
	return append(fields,
		misplaced[overrideSpec]("verify", fmt.Sprintf(tighter, "lengthen the soak by soak: 4h")),
		misplaced[overrideSpec]("on_failure", fmt.Sprintf(tighter, "remove it")),
		misplaced[overrideSpec]("right", fmt.Sprintf(tighter, "remove it")),
		misplaced[overrideSpec]("rollback", "use mode: propose, which keeps rollbacks from merging by themselves too"),
		misplaced[overrideSpec]("windows", "define windows for the whole file, and add one here, as window: office"),
	)
}
