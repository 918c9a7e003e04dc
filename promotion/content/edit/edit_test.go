package edit_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promobot/promobot/promotion/content/edit"
)

func find(t *testing.T, name, data, path string) (*edit.File, []edit.Value) {
	t.Helper()
	f, err := edit.Parse(name, []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	p, err := edit.ParsePattern(path)
	if err != nil {
		t.Fatal(err)
	}
	return f, f.Find(false, p)
}

func TestSet(t *testing.T) {
	str, num, integer := edit.String, edit.Float, edit.Int
	tests := map[string]struct {
		file, path, in string
		to             string
		typ            edit.Type
		want           string // "" when the edit must be refused
	}{
		"plain, comment kept":                {path: "a.b", in: "# top\na:\n  b:   1.2.3   # why\n  c: 1\n", to: "1.3.0", typ: str, want: "# top\na:\n  b:   1.3.0   # why\n  c: 1\n"},
		"double quotes kept":                 {path: "a", in: "a: \"1\" # x\n", to: "2", typ: integer, want: "a: \"2\" # x\n"},
		"single quotes kept":                 {path: "a", in: "a: 'it''s'\n", to: "don't", typ: str, want: "a: 'don''t'\n"},
		"single becomes double when it must": {path: "a", in: "a: 'x'\n", to: "x\ny", typ: str, want: "a: \"x\\ny\"\n"},
		"quoted when it would be a number":   {path: "a", in: "a: 1.9.0\n", to: "1.10", typ: str, want: "a: \"1.10\"\n"},
		"a number stays one":                 {path: "a", in: "a: 1.9\n", to: "1.10", typ: num, want: "a: 1.10\n"},
		"quoted when it would be a boolean":  {path: "a", in: "a: x\n", to: "on", typ: str, want: "a: \"on\"\n"},
		"quoted when it would be a comment":  {path: "a", in: "a: x\n", to: "y #z", typ: str, want: "a: \"y #z\"\n"},
		"empty text":                         {path: "a", in: "a: x\nb: 1\n", to: "", typ: str, want: "a: \"\"\nb: 1\n"},
		"value that was left out":            {path: "a", in: "a:   # c\nb: 1\n", to: "x", typ: str, want: "a: x   # c\nb: 1\n"},
		"value left out in a flow map":       {path: "b", in: "{a: 1, b: , c: }\n", to: "x", typ: str, want: "{a: 1, b: x, c: }\n"},
		"value left out at the end":          {path: "a", in: "a:", to: "x", typ: str, want: "a: x"},
		"null word":                          {path: "a", in: "a: ~\n", to: "x", typ: str, want: "a: x\n"},
		"to null":                            {path: "a", in: "a: 'x'\n", to: "null", typ: edit.Null, want: "a: null\n"},
		"flow map":                           {path: "image.tag", in: "image: {repo: x, tag: 1.0.0 , pull: y}\n", to: "1,2", typ: str, want: "image: {repo: x, tag: \"1,2\" , pull: y}\n"},
		"CRLF":                               {path: "b", in: "a: 1\r\nb: 2\r\nc: 3\r\n", to: "5", typ: integer, want: "a: 1\r\nb: 5\r\nc: 3\r\n"},
		"byte order mark and unicode":        {path: "ключ.é", in: "\ufeffключ: {ü: \"ß𝄞\", é: 1} # é\n", to: "2", typ: integer, want: "\ufeffключ: {ü: \"ß𝄞\", é: 2} # é\n"},
		"no final newline, trailing spaces":  {path: "a", in: "b: 2\na: \"42\"          ", to: "43", typ: str, want: "b: 2\na: \"43\"          "},
		"tabs before a comment":              {path: "a", in: "a: 1\t# x\n", to: "2", typ: integer, want: "a: 2\t# x\n"},
		"list item by name":                  {path: "containers.web.image", in: "containers:\n- name: db\n  image: d:1\n- image: w:1\n  name: web\n", to: "w:2", typ: str, want: "containers:\n- name: db\n  image: d:1\n- image: w:2\n  name: web\n"},
		"list item by index":                 {path: "args.1", in: "args: [a, b]\n", to: "c", typ: str, want: "args: [a, c]\n"},
		"key with dots":                      {path: `m."a.b/c"`, in: "m:\n  a.b/c: 1\n", to: "2", typ: integer, want: "m:\n  a.b/c: 2\n"},
		"second document":                    {path: "b", in: "a: 1\n---\n# x\nb: 1\n...\n---\nc: 1\n", to: "2", typ: integer, want: "a: 1\n---\n# x\nb: 2\n...\n---\nc: 1\n"},
		"folded over lines":                  {path: "a", in: "a: one\n  two\n\n  three\nb: 1\n", to: "x", typ: str, want: "a: x\nb: 1\n"},
		"double quoted over lines":           {path: "a", in: "a: \"one\n  \\\"two\"\nb: 1\n", to: "x", typ: str, want: "a: \"x\"\nb: 1\n"},
		"literal":                            {path: "a", in: "a: |  # c\n  one\n  two\n\nb: 1\n", to: "x\n y\n", typ: str, want: "a: |  # c\n  x\n   y\n\nb: 1\n"},
		"literal without newline":            {path: "l.0.a", in: "l:\n- a: |-\n    one\n  b: 1\n", to: "x", typ: str, want: "l:\n- a: |-\n    x\n  b: 1\n"},
		"literal with CRLF":                  {path: "a", in: "a: |\r\n  one\r\nb: 1\r\n", to: "x\ny\n", typ: str, want: "a: |\r\n  x\r\n  y\r\nb: 1\r\n"},
		"folded block becomes literal":       {path: "a", in: "a: >-\n  one\n  two\nb: 1\n", to: "x", typ: str, want: "a: |-\n  x\nb: 1\n"},
		"literal that cannot hold it":        {path: "a", in: "a: |\n  one\n", to: " x", typ: str},
		"anchor without aliases":             {path: "a", in: "a: &v 1\nb: 1\n", to: "2", typ: integer, want: "a: &v 2\nb: 1\n"},
		"anchor with aliases":                {path: "a", in: "a: &v 1\nb: *v\n", to: "2", typ: integer},
		"alias":                              {path: "b", in: "a: &v 1\nb: *v\n", to: "2", typ: integer},
		"tagged":                             {path: "a", in: "a: !!str 1\n", to: "2", typ: str, want: "a: !!str \"2\"\n"},
		"mapping":                            {path: "a", in: "a: {b: 1}\n", to: "2", typ: integer},
		"two items of one name":              {path: "l.x.v", in: "l:\n- {name: x, v: 1}\n- {name: x, v: 2}\n", to: "2", typ: integer},
		"JSON":                               {file: "x.json", path: "a.b", in: "{\"a\": {\"b\" : \"1\", \"c\":[1,2]}}\n", to: "2<", typ: str, want: "{\"a\": {\"b\" : \"2<\", \"c\":[1,2]}}\n"},
		"JSON number with tabs":              {file: "x.json", path: "a", in: "{\n\t\"a\":1,\n\t\"b\": \"\\ud834\\udd1e\"}", to: "2", typ: integer, want: "{\n\t\"a\":2,\n\t\"b\": \"\\ud834\\udd1e\"}"},
		"JSON has no such number":            {file: "x.json", path: "a", in: "{\"a\":1}", to: "0x1F", typ: integer},
		"JSON in a YAML file, tabs":          {path: "a", in: "{\n\t\"a\": \"1\",\n\t\"b\": 2\n}\n", to: "2", typ: str, want: "{\n\t\"a\": \"2\",\n\t\"b\": 2\n}\n"},
		"line separators inside":             {path: "b", in: "a: \"p\u2028q\"\nb: 1\n", to: "2", typ: integer, want: "a: \"p\u2028q\"\nb: 2\n"},
		"not UTF-8":                          {path: "a", in: "a: 1\n", to: "\xff", typ: str},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			file := tc.file
			if file == "" {
				file = "x.yaml"
			}
			f, vs := find(t, file, tc.in, tc.path)
			if len(vs) != 1 && name != "two items of one name" {
				t.Fatalf("%d values", len(vs))
			}
			got, err := f.Set(vs[0], edit.Scalar{Text: tc.to, Type: tc.typ})
			if tc.want == "" {
				if err == nil {
					t.Fatalf("was not refused: %q", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, string(got)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestInsert(t *testing.T) {
	tests := map[string]struct {
		file, in string
		keys     []string
		want     string // "" when the edit must be refused
	}{
		"after the last key":         {in: "a:\n  b: 1 # x\nc: 1\n", keys: []string{"a", "tag"}, want: "a:\n  b: 1 # x\n  tag: v\nc: 1\n"},
		"no final newline":           {in: "a: 1", keys: []string{"tag"}, want: "a: 1\ntag: v"},
		"CRLF":                       {in: "a: 1\r\n", keys: []string{"tag"}, want: "a: 1\r\ntag: v\r\n"},
		"with mappings on the way":   {in: "a: 1\n", keys: []string{"x", "y.z", "tag"}, want: "a: 1\nx:\n  y.z:\n    tag: v\n"},
		"into an empty value":        {in: "a:\nb: 1\n", keys: []string{"a", "tag"}, want: "a:\n  tag: v\nb: 1\n"},
		"a list's item":              {in: "images:\n  - name: a\n    newTag: 1\nb: 1\n", keys: []string{"images", "x/y", "tag"}, want: "images:\n  - name: a\n    newTag: 1\n  - name: x/y\n    tag: v\nb: 1\n"},
		"a list's item's key":        {in: "images:\n- name: a\nb: 1\n", keys: []string{"images", "a", "tag"}, want: "images:\n- name: a\n  tag: v\nb: 1\n"},
		"flow map":                   {in: "a: {b: 1}\n", keys: []string{"a", "tag"}, want: "a: {b: 1, tag: v}\n"},
		"empty flow map":             {in: "a: {}\n", keys: []string{"a", "x", "tag"}, want: "a: {x: {tag: v}}\n"},
		"empty list":                 {in: "images: []\n", keys: []string{"images", "a", "tag"}, want: "images: [{name: a, tag: v}]\n"},
		"JSON":                       {file: "x.json", in: "{\n  \"a\": {\n    \"b\": 1\n  }\n}\n", keys: []string{"a", "tag"}, want: "{\n  \"a\": {\n    \"b\": 1,\n    \"tag\": \"v\"\n  }\n}\n"},
		"before a comment below":     {in: "a:\n  b: |\n    x\n# c\nc: 1\n", keys: []string{"a", "tag"}, want: "a:\n  b: |\n    x\n  tag: v\n# c\nc: 1\n"},
		"below a scalar":             {in: "a: 1\n", keys: []string{"a", "tag"}},
		"into nothing":               {in: "# empty\n", keys: []string{"tag"}},
		"into one of several":        {in: "a: 1\n---\nb: 1\n", keys: []string{"tag"}},
		"into the one that has it":   {in: "a: {}\n---\nb:\n  c: 1\n", keys: []string{"b", "tag"}, want: "a: {}\n---\nb:\n  c: 1\n  tag: v\n"},
		"as an item without a key":   {in: "l:\n- name: a\n", keys: []string{"l", "tag"}},
		"would change kept newlines": {in: "a:\n  b: |+\n    x\n\nc: 1\n", keys: []string{"a", "tag"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			file := tc.file
			if file == "" {
				file = "x.yaml"
			}
			f, err := edit.Parse(file, []byte(tc.in))
			if err != nil {
				t.Fatal(err)
			}
			got, err := f.Insert(tc.keys, edit.Scalar{Text: "v", Type: edit.String})
			if tc.want == "" {
				if err == nil {
					t.Fatalf("was not refused: %q", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, string(got)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestRemove(t *testing.T) {
	tests := map[string]struct{ file, in, want string }{
		"own line":         {in: "a: 1\nx: 2 # c\nb: 3\n", want: "a: 1\nb: 3\n"},
		"last, no newline": {in: "a: 1\nx: 2", want: "a: 1\n"},
		"CRLF":             {in: "a: 1\r\nx: 2\r\nb: 1\r\n", want: "a: 1\r\nb: 1\r\n"},
		"flow":             {in: "{a: 1, x: 2, b: 3}\n", want: "{a: 1, b: 3}\n"},
		"first in flow":    {in: "{x: 2, b: 3}\n", want: "{b: 3}\n"},
		"JSON":             {file: "x.json", in: "{\"a\": 1, \"x\": 2}", want: "{\"a\": 1}"},
		"the only key":     {in: "x: 2\n"},
		"on a list's dash": {in: "- x: 1\n  b: 2\n"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			file := tc.file
			if file == "" {
				file = "x.yaml"
			}
			f, vs := find(t, file, tc.in, "**.x")
			if len(vs) != 1 {
				t.Fatalf("%d values", len(vs))
			}
			got, err := f.Remove(vs[0])
			if tc.want == "" {
				if err == nil {
					t.Fatalf("was not refused: %q", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, string(got)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestFind(t *testing.T) {
	tests := map[string]struct {
		in, path string
		want     []string // key=text
	}{
		"any depth, also the top":    {"host: a\nx:\n  host: b\n  l:\n  - name: n\n    host: c\n", "**.host", []string{"host=a", "x.host=b", "x.l.n.host=c"}},
		"one level":                  {"a: {t: 1}\nb: {t: 2, c: {t: 3}}\n", "*.t", []string{"a.t=1", "b.t=2"}},
		"part of a key":              {"app-a: 1\napp-b: 2\nb-app: 3\n", "app-*", []string{"app-a=1", "app-b=2"}},
		"between":                    {"a:\n  b:\n    c: {d: 1}\n  d: 2\n", "a.**.d", []string{"a.b.c.d=1", "a.d=2"}},
		"quoted in the answer":       {"m:\n  a.b/c: 1\n", "m.*", []string{`m."a.b/c"=1`}},
		"documents by kind and name": {"kind: D\nmetadata: {name: x}\nr: 1\n---\nkind: D\nmetadata: {name: y}\nr: 2\n", "r", []string{"D/x: r=1", "D/y: r=2"}},
		"only one document has it":   {"a: 1\n---\nr: 2\n", "r", []string{"r=2"}},
		"merge keys are not own":     {"b: &b {t: 1}\nc:\n  <<: *b\n", "c.t", nil},
		"an empty document":          {"---\n---\na: 1\n", "a", []string{"a=1"}},
		"a quoted star is a key":     {"'*': 1\na: 2\n", `"*"`, []string{`"*"=1`}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, vs := find(t, "x.yaml", tc.in, tc.path)
			var got []string
			for _, v := range vs {
				got = append(got, v.Key+"="+v.Text)
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	tests := map[string]struct {
		file, in string
		line     int
	}{
		"unclosed":            {"x.yaml", "a: 1\nb: [\n", 2},
		"a key twice":         {"x.yaml", "a: 1\nb:\n  c: 1\n  c: 2\n", 4},
		"a key twice in JSON": {"x.json", "{\"a\": 1,\n\"a\": 2}", 2},
		"JSON cut off":        {"x.json", "{\"a\": ", 1},
		"JSON with more":      {"x.json", "{}\n{}", 2},
		"JSON syntax":         {"x.json", "{\n\"a\" 1}", 2},
		"a template":          {"x.yaml", "a: 1\n{{ if x }}\nb: 2\n{{ end }}\n", 0},
		"UTF-16":              {"x.yaml", "\xff\xfea\x00", 0},
		"not UTF-8":           {"x.yaml", "a: \xff\xfe\n", 0},
		"deep JSON":           {"x.json", strings.Repeat("[", 20000), 1},
		"deep YAML":           {"x.yaml", strings.Repeat("[", 20000), 0},
		"unknown alias":       {"x.yaml", "a: *x\n", 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := edit.Parse(tc.file, []byte(tc.in))
			syntax, ok := err.(*edit.SyntaxError) //nolint:errorlint // Parse promises the type itself
			if !ok || tc.line > 0 && syntax.Line != tc.line {
				t.Errorf("error is %#v", err)
			}
		})
	}
}

func TestPatterns(t *testing.T) {
	for _, bad := range []string{"", ".", "a.", ".a", "a..b", `"a`, `"a"b`, `"\q"`} {
		if p, err := edit.ParsePattern(bad); err == nil {
			t.Errorf("%q was read as %v", bad, p)
		}
	}
	for _, keys := range [][]string{{"a", "b"}, {"a.b/c"}, {"*"}, {"**", "x"}, {`q"uote`, "ba\\ck", "new\nline", "nul\x00", "it's", " "}, {""}, {"é", "\u2028"}} {
		p, err := edit.ParsePattern(edit.Key(keys))
		if err != nil {
			t.Errorf("%q: %v", edit.Key(keys), err)
			continue
		}
		if got, ok := p.Keys(); !ok || !cmp.Equal(keys, got) || !p.Match(keys) {
			t.Errorf("%q came back as %q", keys, got)
		}
	}
}

func TestMaskOfEnvFiles(t *testing.T) {
	in := "# LOG_LEVEL=no\r\nexport LOG_LEVEL = debug \r\nA=1\nlog.level=x"
	f, vs := find(t, "app.env", in, "LOG_LEVEL")
	if len(vs) != 1 || vs[0].Text != "debug" {
		t.Fatalf("%+v", vs)
	}
	if out, err := f.Set(vs[0], edit.Scalar{Text: "x", Type: edit.String}); err == nil {
		t.Errorf("was changed: %q", out)
	}
	p, err := edit.ParsePattern("LOG_LEVEL")
	if err != nil {
		t.Fatal(err)
	}
	m, err := f.Mask(p)
	if want := "# LOG_LEVEL=no\r\nexport LOG_LEVEL = \x00LOG_LEVEL\x00 \r\nA=1\nlog.level=x"; err != nil || string(m.Text) != want {
		t.Errorf("%q, %v", m.Text, err)
	}
}

func TestMask(t *testing.T) {
	in := "a: 1\nhost: &h 'x' # c\nenv:\n  - name: L\n    value: |\n      one\n      two\n  - name: M\n    value: 2\nres: {cpu: 1, # c }\n  mem: 2}\nafter: 1\n"
	f, err := edit.Parse("x.yaml", []byte(in))
	if err != nil {
		t.Fatal(err)
	}
	var ps []edit.Pattern
	for _, s := range []string{"host", "env.L.value", "res", "res.cpu"} {
		p, err := edit.ParsePattern(s)
		if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
	m, err := f.Mask(ps...)
	if err != nil {
		t.Fatal(err)
	}
	want := "a: 1\nhost: &h \x00host\x00 # c\nenv:\n  - name: L\n    value: \x00env.L.value\x00\n  - name: M\n    value: 2\nres: \x00res\x00\nafter: 1\n"
	if d := cmp.Diff(want, string(m.Text)); d != "" {
		t.Error(d)
	}
	back, taken := edit.Unmask(m.Text, m.Values)
	if string(back) != in || len(taken) != 3 {
		t.Errorf("came back as %q with %v", back, taken)
	}
}
