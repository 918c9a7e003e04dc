package edit_test

// Whatever the file, an edit either is refused or changes the named value and
// nothing else. The check reads the result with another set of eyes: plain
// decoding by the YAML library, which knows nothing of places.

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/promobot/promobot/promotion/content/edit"
)

// decoded is all values of a file's documents in order, as kind, tag and text.
func decoded(t interface{ Skip(...any) }, data []byte) []string {
	var out []string
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if n.Kind != yaml.DocumentNode {
			out = append(out, string(rune('0'+n.Kind))+n.ShortTag()+" "+n.Anchor+" "+n.Value)
		}
		for _, c := range n.Content {
			walk(c)
		}
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var n yaml.Node
		if err := dec.Decode(&n); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Skip(err)
		}
		walk(&n)
	}
}

func every(t interface{ Fatal(...any) }) edit.Pattern {
	p, err := edit.ParsePattern("**")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func FuzzSet(f *testing.F) {
	for _, s := range []string{
		"a: 1\nb:\n  - name: x\n    v: 'y'\n", "{a: b, c: [d, \"e\"]}", "a: |\n  x\n  y\nb: >-\n  z\n", "\ufeffé: ü\r\nb: 1\r\n",
		"a: &x 1\nb: *x\n---\nc: !!str 2\n", "? a\n: b\n? [x]\n: y\n", "- - 1\n  -\n- |+\n\n  x\n\n", "a: one\n  two # c\n", "a: \"x\n  y\"\n", "a:\t1 # x", "a: {b: , c}\n",
		"a: |2\n   x\n", "a: 'x\n\n  y'\nb: -\n", "# c\n--- |\n  x\n", "%YAML 1.1\n---\na: yes\n", "a: x\u2028b: y\n", "a: -\n", "a: ''\r\rb: 1\r",
	} {
		f.Add(s, "1.2.3", 0, false)
		f.Add(s, "x: y # z\n", 1, true)
	}
	f.Fuzz(func(t *testing.T, data, text string, which int, number bool) {
		checkSet(t, data, text, which, number)
	})
}

func checkSet(t interface {
	Fatal(...any)
	Fatalf(string, ...any)
	Skip(...any)
}, data, text string, which int, number bool,
) {
	file, err := edit.Parse("x.yaml", []byte(data))
	if err != nil {
		return
	}
	all := file.Find(false, every(t))
	if len(all) == 0 {
		return
	}
	v := all[((which%len(all))+len(all))%len(all)]
	typ := edit.String
	if number {
		typ = edit.Int
	}
	out, err := file.Set(v, edit.Scalar{Text: text, Type: typ})
	if err != nil {
		return
	}
	before, after := decoded(t, []byte(data)), decoded(t, out)
	if len(before) != len(after) {
		t.Fatalf("%q became %q: %d values became %d", data, out, len(before), len(after))
	}
	changed := 0
	for i := range before {
		if before[i] != after[i] {
			changed++
		}
	}
	if changed > 1 {
		t.Fatalf("%q became %q: %s", data, out, cmp.Diff(before, after))
	}
	// All bytes before and after the value are as they were.
	raw := v.Raw
	at := 0
	for at < len(data) && at < len(out) && data[at] == out[at] {
		at++
	}
	end := 0
	for end < len(data)-at && end < len(out)-at && data[len(data)-1-end] == out[len(out)-1-end] {
		end++
	}
	if changedBytes := data[at : len(data)-end]; len(changedBytes) > len(raw) {
		t.Fatalf("%q became %q: more than %q changed", data, out, raw)
	}
	// What was set is what is read.
	again, err := edit.Parse("x.yaml", out)
	if err != nil {
		t.Fatal(err)
	}
	found := v.Keys[len(v.Keys)-1] == "name" // changing it changes the path
	for _, w := range again.Find(false, every(t)) {
		found = found || cmp.Equal(w.Keys, v.Keys) && w.Text == text
	}
	if !found {
		t.Fatalf("%q became %q, which does not read %q at %s", data, out, text, v.Key)
	}
}

func FuzzMask(f *testing.F) {
	for _, s := range []string{"a: 1\nb: {c: [x, y]}\n", "a: |\n  x\nb:\n- name: q\n  z: 'u'\n", "{a: {b: 1}, c: }", "a: &x {b: 1}\nc: *x\n"} {
		f.Add(s, "**.b", 0)
		f.Add(s, "*", 0)
	}
	f.Add(`{"a": {"b": "\ud834\udd1e"}, "c": [1.5e3, true, null]}`, "**.b", 1)
	f.Add("export A = x \r\nB=\n", "A", 2)
	f.Fuzz(func(t *testing.T, data, path string, name int) {
		file, err := edit.Parse([]string{"x.yaml", "x.json", "x.env"}[uint(name)%3], []byte(data))
		if err != nil {
			return
		}
		p, err := edit.ParsePattern(path)
		if err != nil {
			return
		}
		m, err := file.Mask(p)
		if err != nil {
			return
		}
		if back, _ := edit.Unmask(m.Text, m.Values); string(back) != data {
			t.Fatalf("%q came back as %q", data, back)
		}
	})
}

// TestSetOnGeneratedFiles edits files that look like those people write, with
// every style of scalar at every depth.
func TestSetOnGeneratedFiles(t *testing.T) {
	text := rapid.StringMatching(`[a-zé0-9.:#'" \-]{0,12}`)
	rapid.Check(t, func(rt *rapid.T) {
		newline := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(rt, "newline")
		var b bytes.Buffer
		if rapid.Bool().Draw(rt, "bom") {
			b.WriteString("\ufeff")
		}
		scalar := func() string {
			word := rapid.StringMatching(`[a-zé0-9.]{1,8}`).Draw(rt, "word")
			switch rapid.IntRange(0, 4).Draw(rt, "style") {
			case 0:
				return "'" + word + "'"
			case 1:
				return "\"" + word + "\\u00e9\""
			case 2:
				return ""
			}
			return word
		}
		var mapping func(indent string, depth int)
		mapping = func(indent string, depth int) {
			for i := range rapid.IntRange(1, 4).Draw(rt, "keys") {
				key := indent + string(rune('a'+i)) + "é:"
				switch kind := rapid.IntRange(0, 6).Draw(rt, "kind"); {
				case kind == 0 && depth < 3:
					b.WriteString(key + newline)
					mapping(indent+"  ", depth+1)
				case kind == 1:
					b.WriteString(key + " |" + newline + indent + "  one" + newline + newline + indent + "   two" + newline)
				case kind == 2:
					b.WriteString(key + " {x: " + scalar() + ", y: [" + "1, 'ü'" + "]} # c" + newline)
				case kind == 3:
					b.WriteString(key + newline + indent + "- name: n" + newline + indent + "  v: " + scalar() + newline + indent + "- \"q\"" + newline)
				case kind == 4:
					b.WriteString(key + " one" + newline + indent + "  two" + newline)
				default:
					b.WriteString(key + " " + scalar() + "  # é" + newline)
				}
				if rapid.IntRange(0, 5).Draw(rt, "blank") == 0 {
					b.WriteString(indent + "# between" + newline + newline)
				}
			}
		}
		for i := range rapid.IntRange(1, 3).Draw(rt, "documents") {
			if i > 0 {
				b.WriteString("---" + newline)
			}
			mapping("", 0)
		}
		data := b.String()
		if rapid.Bool().Draw(rt, "final newline") {
			data = string(bytes.TrimRight([]byte(data), "\r\n"))
		}
		checkSet(rt, data, text.Draw(rt, "text"), rapid.IntRange(0, 40).Draw(rt, "which"), false)
	})
}
