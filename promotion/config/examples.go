package config

// The ways a change can travel, by example, for the reference page. Each is a
// whole pipeline file, and a test parses each.

import "strings"

// wayExample is one way with its file, and what is said after it.
type wayExample struct{ title, text, file, after string }

var wayExamples = []wayExample{
	{
		"Environments that are branches",
		"Each environment is a branch; the folder is the same in all of them. The pipeline file stands on the default branch and counts for all. `branch` can also map environments to branches; those it does not name stand on the default branch.",
		`version: 1
mode: propose
environments:
  dev:  {verify: none}
  e2e:  {from: dev, verify: none}
  prod: {from: e2e}
pipelines:
  shop:
    path: .
    branch: env/$env
    promote:
      - files: "**"
        except: [README.md, .github/**]
`, "",
	},
	{
		"Branches that a hydrator writes",
		"A hydrator renders each environment to a branch of its own, `env/dev-next`, and says in a file which commit it rendered. promobot carries the rendered files from there: dev's as soon as they are written, those of the others once the same revision has landed upstream. Such branches need share no history, since files are set and nothing is merged. An environment is there when its own branch or the one it is read from has its files.",
		`version: 1
mode: propose
environments:
  dev:  {verify: none, mode: auto}
  e2e:  {from: dev, verify: none, mode: auto}
  prod: {from: e2e}
pipelines:
  shop:
    path: .
    branch: env/$env
    read: {branch: env/$env-next}
    revision: {in: hydrator.metadata, value: drySha}
    promote: {files: "**"}
`, "",
	},
	{
		"Versions from releases of another repository",
		"A release of acme/shop is written into dev's values, and travels on from there as any change does. The App has to be installed in acme/shop too. Newest wins, by semantic version where there is one; older ones that arrive late change nothing.",
		`version: 1
mode: propose
environments:
  dev:  {source: {release: acme/shop, prefix: v}, verify: none, mode: auto}
  prod: {from: dev}
pipelines:
  shop:
    path: shop/$env
    promote: {values: image.tag, in: values.yaml}
`, "",
	},
	{
		"Versions from tags, many services in one repository",
		"The names of for_each can stand in `pattern` and `prefix`: checkout-v1.4.0 is version 1.4.0 of checkout. Tags count when they are semantic versions.",
		`version: 1
mode: propose
environments:
  dev:  {source: {tag: acme/services, pattern: "$name-v*", prefix: "$name-v"}, verify: none}
  prod: {from: dev}
pipelines:
  services:
    for_each: services/$name
    path: services/$name/$env
    promote: {images: "ghcr.io/acme/$name"}
`, "",
	},
	{
		"Versions from a build job",
		"The job's last step says which version it has built; it needs no checkout of this repository.",
		`version: 1
mode: propose
environments:
  dev:  {source: {dispatch: shop-built, version: version}, verify: none, mode: auto, deliver: push}
  prod: {from: dev}
pipelines:
  shop:
    path: shop/$env
    promote: {images: ghcr.io/acme/shop}
`,
		"In the job, with a token that may write to this repository:\n\n```sh\n" +
			`gh api repos/acme/config/dispatches -f event_type=shop-built -f "client_payload[version]=$VERSION"` + "\n```\n",
	},
	{
		"Where Flux decides what runs",
		"staging's chart version is a range that Flux resolves, so nothing there is promobot's to write, and the range must not travel. Flux's notification controller reports what it installed by a `repository_dispatch`; that version is what production gets. Anything else that two tools would write is refused: a promoted value with a marker of Flux's image automation, a folder with a file of Argo CD Image Updater.",
		`version: 1
mode: propose
environments:
  staging:    {managed: elsewhere, source: {dispatch: HelmRelease/podinfo.podinfo, version: metadata.revision}}
  production: {from: staging}
pipelines:
  podinfo:
    path: apps/$env
    promote: {values: spec.chart.spec.version, in: podinfo-values.yaml}
`, "",
	},
	{
		"Pushes instead of pull requests",
		"Promotions to staging go straight to the branch, and commits are signed by GitHub. A push needs `mode: auto`: under a lower mode, which the file's own `mode` can bring about at any time, and for what a person has to look at, pull requests are opened.",
		`version: 1
mode: auto
commits: verified
environments:
  dev:     {verify: none}
  staging: {from: dev, mode: auto, deliver: push, verify: none}
  prod:    {from: staging}
pipelines:
  shop:
    path: envs/$env
    promote: {images: "*"}
overrides:
  - {pipelines: shop, environments: staging, deliver: pull_request}   # for once, or for some services
`, "",
	},
	{
		"GitHub merges",
		"GitHub's auto-merge or its merge queue merge instead of promobot. Both promise less: what happens after GitHub's last look can no longer stop a merge. The queue decides how it merges, so `method` has no say there.",
		`version: 1
mode: auto
method: squash
environments:
  dev:     {verify: none}
  staging: {from: dev, mode: auto, merge: github, verify: none}
  prod:    {from: staging, mode: auto, merge: queue}
pipelines:
  shop:
    path: envs/$env
    promote: {images: "*"}
`, "",
	},
	{
		"When something newer comes, and batches",
		"staging's promotions are gathered into one pull request at each full hour, audit's every day at half past six in Berlin. In prod each new version gets a pull request of its own, and the one before it is closed with a link; audit sees every version, one after the other. One service goes its own way.",
		`version: 1
mode: propose
environments:
  dev:     {verify: none}
  staging: {from: dev, batch: hourly}
  prod:    {from: staging, newer: supersede}
  audit:   {from: staging, newer: queue, batch: "06:30 Europe/Berlin"}
pipelines:
  services:
    for_each: services/$name
    path: services/$name/$env
    promote: {images: "*"}
overrides:
  - {name: checkout, environments: staging, batch: never}
`, "",
	},
	{
		"Many services, from dev to production",
		"staging merges by itself what its Argo CD application says is healthy, for an hour; the canary, where a service has one, takes back what fails. Production gets what the canary verified, by pull requests that people merge while the office is open. Eleven services want a word of approval on top, and one is only watched.",
		`version: 1
mode: observe                     # ceiling: observe < propose < auto; one line is also the brake
limits: {open: 20, per_hour: 30, per_environment: 8}   # the defaults

environments:                     # said once; ` + "`" + `from` + "`" + ` makes the order
  dev:         {verify: none}          # auto below an unverified environment must be said
  staging:     {from: dev, mode: auto, batch: hourly, verify: {checks: "argocd/$name-$env", soak: 1h, timeout: 3h}}
  prod-canary: {from: staging, optional: true, window: office, verify: {checks: ["argocd/$name-$env", "slo/$name"], soak: 4h, timeout: 8h}, on_failure: rollback}
  prod-us:     {from: prod-canary, window: office}
  prod-eu:     {from: prod-canary, window: office}

windows:
  office: {allow: "Mon-Thu 09:00-16:00", zone: Europe/Berlin, holidays: ops/holidays.ics}

pipelines:
  services:                       # 220 kustomize services
    for_each: services/$name
    path: services/$name/overlays/$env
    promote:
      - images: "ghcr.io/acme/*"              # newTag and digest in kustomization.yaml; never newName
      - files: config/**
        except: "*.local.yaml"
        keep: [LOG_LEVEL, "**.hostname"]      # inside copied files these stay the target's own
  charts:                         # 60 Helm services: environments are files, not folders
    for_each: charts/$name
    path: charts/$name
    promote: {values: image.tag, in: values-$env.yaml}
  addons:                         # 20 Argo CD Applications
    for_each: clusters/$env/apps/$name.yaml
    path: clusters/$env/apps
    promote: {values: spec.source.targetRevision, in: $name.yaml}

shared: ["services/*/base/**", "charts/*/values.yaml"]   # reaches several environments at once: said on every pull request that touches it
never: ["**/secrets*", "**.namespace", "**.replicas"]    # no pipeline can move these
overrides:                        # may only tighten; later wins; ` + "`" + `promobot explain` + "`" + ` prints the result and its lines
  - {name: [svc-007, svc-04*], environments: prod-*, approval: required, batch: never}
  - {name: helm-03, mode: observe}
`, "",
	},
	{
		"Verified by what others report",
		"What has to be there is named, since a check that never comes is no green one. Anyone who may write to the repository can report a check of any name, so `app` says whose counts. staging is verified by a deployment and by a smoke test of its own, prod by Argo CD for four hours; while it soaks, newer versions wait.",
		`version: 1
mode: auto
environments:
  dev: {verify: none}
  staging:
    from: dev
    mode: auto
    verify:
      deployments: {any: [staging, "staging (*)"]}
      workflows: smoke.yml
  prod:
    from: staging
    mode: auto
    verify: {checks: {all: argocd/shop-prod, app: argocd}, soak: 4h, timeout: 8h, red_for: 3m, on_timeout: hold}
    on_failure: rollback
    rollback: propose       # people merge the rollback; without this it merges as promotions do
pipelines:
  shop:
    path: shop/$env
    promote: {images: "*"}
`, "",
	},
	{
		"What is done when something fails",
		"The steps are tried in their order. What GitHub refuses for a while is done again; that a failed check is waited for once more has to be asked for. Then a workflow of one's own may mend it; then every environment of the pipeline that carries the revision goes back, the furthest first; and at last a person has to look.",
		`version: 1
mode: auto
environments:
  dev: {verify: none}
  prod:
    from: dev
    mode: auto
    verify: {checks: slo/shop, soak: 30m, hints: accept}
    on_failure:
      - restart: {limit: 1, backoff: 2m, when: [push, merge, verification]}
      - run: {workflow: recover.yml, inputs: {cluster: prod-1}, timeout: 20m}
      - rollback: {scope: all}
      - halt
  audit:
    from: prod
    verify: {checks: audit}
    on_failure: {run: {event: audit-failed, idempotent: true}}
pipelines:
  shop:
    path: shop/$env
    promote: {images: "*"}
`,
		"The workflow takes promobot's inputs besides its own, and its run is found again by the nonce in its name:\n\n```yaml\n" + recoverWorkflow() + "```\n",
	},
	{
		"Windows, approval, and who may say what",
		"Promotions to prod land in office hours that are no holidays, and not while the shop sells most; both windows must be open. A person who did not make the promotion approves each. Commands about prod are for maintainers, and a rollback is for those on call, whatever their role.",
		`version: 1
mode: auto
environments:
  dev:  {verify: none}
  prod: {from: dev, mode: auto, window: [office, calm], approval: required, right: maintain}
windows:
  office: {allow: ["Mon-Thu 09:00-16:00", "Fri 09:00-12:00"], zone: Europe/Berlin, holidays: ops/holidays.ics}
  calm:   {block: "Fri 18:00-Mon 06:00", zone: America/New_York}
commands:
  rights: {rollback: acme/oncall, status: read}
  bots: "release-desk[bot]"
  aliases: {ship: promote prod, freeze: "hold prod*"}
pipelines:
  shop:
    path: shop/$env
    promote: {images: "*"}
`, "",
	},
}

// recoverWorkflow is a workflow for on_failure: run, to copy.
func recoverWorkflow() string {
	var out strings.Builder
	out.WriteString(`name: recover
run-name: Recover ${{ inputs.environment }} (${{ inputs.nonce }})
on:
  workflow_dispatch:
    inputs:
`)
	for _, n := range Particulars {
		out.WriteString("      " + n + ": {required: false}\n")
	}
	out.WriteString(`      cluster: {required: true}
jobs:
  recover:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: ./recover.sh "$CLUSTER" "$REVISION"
        env: {CLUSTER: "${{ inputs.cluster }}", REVISION: "${{ inputs.revision }}"}
`)
	return out.String()
}
