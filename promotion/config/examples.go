package config

// The ways a change can travel, by example, for the reference page. Each is a
// whole pipeline file, and a test parses each.

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
}
