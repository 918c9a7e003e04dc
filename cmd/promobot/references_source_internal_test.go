package main

// The parts of the reference that are made from declarations and their comments:
// the ledger's entries from package state, the API's answers from promotion/view
// and handlers/api.

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// declared are a package's types and constants, as its source has them.
type declared struct {
	types  map[string]declaredType
	consts []declaredConst
}

type declaredType struct {
	doc    string
	fields []declaredField
	plain  string // what it is made of, when it is no struct
}

type declaredField struct{ name, kind, doc string }

type declaredConst struct{ kind, name, value, doc string }

// declarations reads a package's source.
func declarations(t *testing.T, dir string) declared {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(dir), "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	d := declared{types: map[string]declaredType{}}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range f.Decls {
			if g, ok := decl.(*ast.GenDecl); ok {
				d.read(g)
			}
		}
	}
	return d
}

func (d *declared) read(g *ast.GenDecl) {
	for _, s := range g.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			doc := s.Doc.Text()
			if doc == "" {
				doc = g.Doc.Text()
			}
			t := declaredType{doc: doc}
			if st, ok := s.Type.(*ast.StructType); ok {
				t.fields = fieldsOf(st)
			} else {
				t.plain = kindName(s.Type)
			}
			d.types[s.Name.Name] = t
		case *ast.ValueSpec:
			if g.Tok == token.CONST && len(s.Values) == 1 {
				if v, ok := s.Values[0].(*ast.BasicLit); ok && v.Kind == token.STRING {
					value, _ := strconv.Unquote(v.Value) // it compiles
					kind := ""
					if id, ok := s.Type.(*ast.Ident); ok {
						kind = id.Name
					}
					d.consts = append(d.consts, declaredConst{kind, s.Names[0].Name, value, strings.TrimSpace(s.Doc.Text() + s.Comment.Text())})
				}
			}
		}
	}
}

func fieldsOf(st *ast.StructType) []declaredField {
	var all []declaredField
	for _, f := range st.Fields.List {
		name := ""
		if f.Tag != nil {
			tag, _ := strconv.Unquote(f.Tag.Value) // it compiles
			name, _, _ = strings.Cut(reflect.StructTag(tag).Get("json"), ",")
		}
		doc := strings.TrimSpace(f.Doc.Text() + " " + f.Comment.Text())
		switch {
		case len(f.Names) == 0:
			all = append(all, declaredField{"", kindName(f.Type), doc})
		case name != "" && name != "-":
			all = append(all, declaredField{name, kindName(f.Type), doc})
		}
	}
	return all
}

// kindName says what a value looks like in JSON; a struct's name stands for itself.
func kindName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return kindName(e.X)
	case *ast.ArrayType:
		return "list of " + kindName(e.Elt)
	case *ast.MapType:
		return "mapping to " + kindName(e.Value)
	case *ast.SelectorExpr:
		switch e.Sel.Name {
		case "Time":
			return "time"
		case "Duration":
			return "nanoseconds"
		}
		return e.Sel.Name
	case *ast.Ident:
		switch e.Name {
		case "string":
			return "text"
		case "int", "int64":
			return "number"
		case "bool":
			return "true or false"
		}
		return e.Name
	}
	return fmt.Sprintf("%T", e)
}

// tables writes a type's fields as a section, then those of the types they name.
func (d declared) tables(b *strings.Builder, from ...string) {
	done := map[string]bool{}
	for len(from) > 0 {
		name := from[0]
		from = from[1:]
		t, known := d.types[name]
		if done[name] || !known || t.fields == nil {
			continue
		}
		done[name] = true
		fmt.Fprintf(b, "\n## %s\n\n%s\n\n| field | value | |\n| --- | --- | --- |\n", name, cell(t.doc))
		for _, f := range t.fields {
			last := f.kind[strings.LastIndexByte(f.kind, ' ')+1:]
			inner, isType := d.types[last]
			kind := f.kind
			switch {
			case isType && inner.fields != nil:
				kind = strings.TrimSuffix(f.kind, last) + "[" + last + "](#" + strings.ToLower(last) + ")"
				from = append(from, last)
			case isType:
				kind = strings.TrimSuffix(f.kind, last) + inner.plain
			}
			if f.name == "" {
				fmt.Fprintf(b, "| | all fields of %s | %s |\n", kind, cell(f.doc))
				continue
			}
			fmt.Fprintf(b, "| `%s` | %s | %s |\n", f.name, kind, cell(f.doc))
		}
	}
}

// ledgerReference is what stands in refs/promobot/*.
func ledgerReference(t *testing.T) string {
	d := declarations(t, "state")
	var b strings.Builder
	b.WriteString("# The ledger\n\nEach environment of each pipeline has a ledger: a chain of commits under `refs/promobot/<pipeline>/<environment>`, names escaped to one segment each. Every entry has an empty tree. Its message is a sentence for people, the environment's whole state after it as one line of JSON, and trailers; the last one is a signature over the repository, the ref, the parents, the tree and the message. The newest entry tells the state, the chain the story. Nothing else of promobot's has to be kept.\n\n[`promobot log`](cli.md#promobot-log) shows a ledger, `promobot status --repo .` the newest entry of each.\n\n## Kinds of entries\n\n| kind | |\n| --- | --- |\n")
	for _, c := range d.consts {
		if c.kind == "Kind" {
			fmt.Fprintf(&b, "| `%s` | %s |\n", c.value, cell(c.doc))
		}
	}
	b.WriteString("\n## Trailers\n\nThose of a promotion stand in its commit, in promobot's merge message, and in the entries about it; the others in every entry.\n\n| trailer | |\n| --- | --- |\n")
	for _, c := range d.consts {
		if c.doc != "" && (strings.HasPrefix(c.value, "Promotion-") || strings.HasPrefix(c.value, "Promobot-")) {
			fmt.Fprintf(&b, "| `%s` | %s |\n", c.value, cell(c.doc))
		}
	}
	b.WriteString("\n## Statuses of a promotion\n\n| status | |\n| --- | --- |\n")
	for _, c := range d.consts {
		if c.kind == "Status" {
			fmt.Fprintf(&b, "| `%s` | %s |\n", c.value, cell(c.doc))
		}
	}
	b.WriteString("\n## The state, as JSON\n\nTimes are RFC 3339; what is empty is left out. An older promobot refuses a version `v` that it does not know.\n")
	d.tables(&b, "Environment")
	return b.String()
}

// apiReference is /api/v1.
func apiReference(t *testing.T) string {
	answers, views := declarations(t, "handlers/api"), declarations(t, "promotion/view")
	all := declared{types: map[string]declaredType{}}
	for _, from := range []declared{answers, views} {
		maps.Copy(all.types, from.types) // an error's Problem is none of the answers' types
	}
	var b strings.Builder
	b.WriteString(`# The JSON API

What the pages show, as JSON. It only reads. [` + "`promobot status`](cli.md#promobot-status) and [`promobot changes`](cli.md#promobot-changes)" + ` ask it.

| | answers |
| --- | --- |
| ` + "`GET /api/v1/repositories`" + ` | [Repositories](#repositories) |
| ` + "`GET /api/v1/repositories/OWNER/NAME`" + ` | [Repository](#repository): all that is known of it |
| ` + "`GET /api/v1/status`" + ` | [Status](#status): every environment at a glance |
| ` + "`GET /api/v1/changes`" + ` | [Changes](#changes): what changed lately |

| parameter | of | |
| --- | --- | --- |
| ` + "`env`" + ` | all but repositories | a pattern of environments' names, as ` + "`prod*`" + `; may be given several times |
| ` + "`pipeline`" + ` | all but repositories | a pattern of pipelines' keys, as ` + "`services/*`" + `; ` + "`*`" + ` does not stand for a slash |
| ` + "`repository`" + ` | status, changes | one, as ` + "`acme/gitops`" + ` |
| ` + "`since`" + ` | changes | so long ago, as ` + "`30m`, `2h` or `3d`" + `, or a time as ` + "`2026-06-01T09:00:00Z`" + `; 2h where nothing is said |
| ` + "`limit`" + ` | lists | at most so many, up to 5000; 1000 where nothing is said. ` + "`more`" + ` says that there are others |

For example, what changed in production:

` + "```text\ncurl -H \"Authorization: Bearer $(gh auth token)\" 'https://promobot.example.com/api/v1/changes?env=prod*&since=2h'\n```" + `

- **Who asks** is told by the pages' session cookie, or by ` + "`Authorization: Bearer`" + ` with the person's own GitHub token. promobot asks GitHub what that person can see, and answers nothing else. What you cannot see and what is not there are the same 404.
- **What is answered** is what the loop saw in its newest run of each repository (` + "`at`" + `). No request is made to GitHub for it, but to learn what you can see.
- **Errors** are ` + "`application/problem+json`" + ` (RFC 9457); ` + "`detail`" + ` says what to do: 400 a question that is not understood, 401 nobody, or a token that GitHub does not take, 404 not there for you, 405 anything but GET and HEAD, 503 GitHub could not be asked; with ` + "`Retry-After`" + `.
- **Caching**: every answer has an ` + "`ETag`" + ` for ` + "`If-None-Match`" + `, and is for its reader alone (` + "`private, no-cache`" + `).
- **Versions**: ` + "`version`" + ` is 1. Fields are added, never renamed or removed. Times are RFC 3339; most of what is empty is left out.
`)
	all.tables(&b, "Repositories", "Status", "Changes", "Repository")
	return b.String()
}
