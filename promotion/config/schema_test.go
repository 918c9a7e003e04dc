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
	for _, src := range []string{config.Example, base, example(t, "environment-promotion"), example(t, "monorepo"), example(t, "every-key"), base[:strings.Index(base, "  prod")] + "  prod:\n" + base[strings.Index(base, "pipelines"):]} {
		if err := check(src); err != nil {
			t.Errorf("refused: %v\n%s", err, src)
		}
	}
	for name, src := range map[string]string{
		"unknown key":                  base + "moed: auto\n",
		"unknown mode":                 base + "mode: automatic\n",
		"later key":                    base + "windows: {}\n",
		"later key in an environment":  strings.Replace(base, "{from: dev}", "{from: dev, window: office}", 1),
		"other version":                "version: 2\n" + base[11:],
		"version missing":              base[11:],
		"path missing":                 strings.Replace(base, "    path: envs/$env\n", "", 1),
		"a name that is none":          strings.Replace(base, "  prod:", "  Prod_1:", 1),
		"a number as label":            base + "labels: [1.10]\n",
		"a limit out of reach":         base + "limits: {open: 0}\n",
		"verify with checks":           strings.Replace(base, "{verify: none}", "{verify: {checks: ci}}", 1),
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
