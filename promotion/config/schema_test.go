package config_test

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/promobot/promobot/promotion/config"
)

func TestSchemaAndReferenceAreCurrent(t *testing.T) {
	golden(t, "../../schema/promobot.schema.json", string(config.Schema()))
	golden(t, "../../docs/pipeline-file.md", config.Reference())
}

func TestSchema(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(config.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("promobot.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("promobot.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	check := func(src string) error {
		var v any
		if err := yaml.Unmarshal([]byte(src), &v); err != nil {
			t.Fatal(err)
		}
		return s.Validate(v)
	}
	for _, src := range []string{config.Example, base, example(t, "environment-promotion"), example(t, "monorepo"), example(t, "every-key"), example(t, "every-way"), base[:strings.Index(base, "  prod")] + "  prod:\n" + base[strings.Index(base, "pipelines"):]} {
		if err := check(src); err != nil {
			t.Errorf("refused: %v\n%s", err, src)
		}
	}
	for name, src := range referenceFiles(t) {
		if err := check(src); err != nil {
			t.Errorf("%s: refused: %v\n%s", name, err, src)
		}
	}
	for name, src := range map[string]string{
		"unknown key":                  base + "moed: auto\n",
		"unknown mode":                 base + "mode: automatic\n",
		"windows that are none":        base + "windows: {}\n",
		"a misplaced key":              strings.Replace(base, "{from: dev}", "{from: dev, soak: 1h}", 1),
		"a bare run":                   strings.Replace(base, "{from: dev}", "{from: dev, on_failure: run}", 1),
		"two steps in one":             strings.Replace(base, "{from: dev}", "{from: dev, on_failure: {restart: {}, halt: {}}}", 1),
		"a duration without a unit":    strings.Replace(base, "{from: dev}", "{from: dev, verify: {checks: ci, soak: 5}}", 1),
		"approval that is not":         strings.Replace(base, "{from: dev}", "{from: dev, approval: none}", 1),
		"an App of workflows":          strings.Replace(base, "{from: dev}", "{from: dev, verify: {workflows: {all: ci, app: x}}}", 1),
		"a right that is none":         strings.Replace(base, "{from: dev}", "{from: dev, right: owner}", 1),
		"a command that is none":       base + "commands: {rights: {deploy: admin}}\n",
		"an override's longer timeout": base + "overrides:\n  - {environments: prod, timeout: 1h}\n",
		"other version":                "version: 2\n" + base[11:],
		"version missing":              base[11:],
		"path missing":                 strings.Replace(base, "    path: envs/$env\n", "", 1),
		"a name that is none":          strings.Replace(base, "  prod:", "  Prod_1:", 1),
		"a number as label":            base + "labels: [1.10]\n",
		"a limit out of reach":         base + "limits: {open: 0}\n",
		"verify with a list":           strings.Replace(base, "{verify: none}", "{verify: [ci]}", 1),
		"a batch that is no time":      strings.Replace(base, "{from: dev}", "{from: dev, batch: 6:00}", 1),
		"a source without braces":      strings.Replace(base, "{verify: none}", "{source: acme/app}", 1),
		"read without a branch":        strings.Replace(base, "    path:", "    read: {}\n    path:", 1),
		"a branch on the environment":  strings.Replace(base, "{from: dev}", "{from: dev, branch: x}", 1),
		"managed by whom":              strings.Replace(base, "{verify: none}", "{managed: flux}", 1),
		"override that gathers":        base + "overrides:\n  - {environments: prod, batch: hourly}\n",
		"override that pushes":         base + "overrides:\n  - {environments: prod, deliver: push}\n",
		"override that loosens verify": base + "overrides:\n  - {environments: prod, verify: none}\n",
	} {
		t.Run(name, func(t *testing.T) {
			if check(src) == nil {
				t.Error("the schema accepts it")
			}
			if f, _ := config.Parse("p.yml", []byte(src)); f != nil {
				t.Error("Parse accepts it")
			}
		})
	}
}

// referenceFiles are the page's examples by the heading they stand under.
func referenceFiles(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, section := range strings.Split(config.Reference(), "\n#")[1:] {
		title, rest, _ := strings.Cut(section, "\n")
		if _, block, ok := strings.Cut(rest, "```yaml\n"); ok {
			src, _, closed := strings.Cut(block, "```")
			if !closed {
				t.Fatalf("the example under %s does not end", title)
			}
			out[strings.TrimLeft(title, "# ")] = src
		}
	}
	return out
}

// TestReferenceExamples checks that each way on the page is a file that works,
// and that together they use all that is new in them.
func TestReferenceExamples(t *testing.T) {
	files := referenceFiles(t)
	all := ""
	for title, src := range files {
		t.Run(title, func(t *testing.T) { parse(t, src) })
		all += src
	}
	for _, key := range []string{
		"branch: env/$env", "read:", "revision:", "release:", "tag:", "dispatch:", "managed:", "deliver: push", "merge: queue", "merge: github", "method:", "supersede", "newer: queue", "batch: hourly", "batch: never", "commits: verified",
		"checks:", "deployments:", "workflows:", "soak:", "timeout:", "any:", "app:", "on_failure:", "restart", "run:", "event:", "rollback: propose", "scope:", "window:", "holidays:", "approval: required", "rights:", "bots:", "aliases:", "right:",
	} {
		if !strings.Contains(all, key) {
			t.Errorf("no example has %s", key)
		}
	}
}

// TestReferenceNamesAllTemplateFields keeps the page's list of fields whole.
func TestReferenceNamesAllTemplateFields(t *testing.T) {
	page, typ := config.Reference(), reflect.TypeFor[config.TemplateData]()
	if listed := strings.Count(page, "| `{{."); listed != typ.NumField() {
		t.Errorf("the page lists %d fields of %d", listed, typ.NumField())
	}
	for field := range typ.Fields() {
		if !strings.Contains(page, "| `{{."+field.Name+"}}` |") {
			t.Errorf("%s is not on the page", field.Name)
		}
	}
	if _, err := os.Stat("../../docs/pipeline-file.md"); err != nil {
		t.Error(err)
	}
}
