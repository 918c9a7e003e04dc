package command

// Which lines of a comment are commands, as GitHub reads them. Rules:
//
//   - A line counts when /promobot at its start is text of a paragraph, a heading
//     or a list's item. What Markdown makes code, a quote, a table, a link, a
//     footnote or HTML of does not count, also where the line looks like any other:
//     the second line of a quote, of a code span, of an HTML comment.
//   - Text between HTML tags that quote, quote code or strike out does not count.
//   - A comment without such a line is not parsed at all, and a very long one
//     never: Markdown can be written so that reading it takes quadratic time.

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// Word begins a command in a comment.
const Word = "/promobot"

// mostBody is how long a comment with commands may be, in bytes; GitHub's own
// limit is 65,536 characters.
const mostBody = 16 << 10

var (
	// markdown leaves emphasis be, which makes no difference to what is text, and
	// takes long where somebody means it to.
	markdown = goldmark.New(
		goldmark.WithParser(parser.NewParser(
			parser.WithBlockParsers(parser.DefaultBlockParsers()...),
			parser.WithInlineParsers(
				util.Prioritized(parser.NewCodeSpanParser(), 100),
				util.Prioritized(parser.NewLinkParser(), 200),
				util.Prioritized(parser.NewAutoLinkParser(), 300),
				util.Prioritized(parser.NewRawHTMLParser(), 400),
			),
			parser.WithParagraphTransformers(parser.DefaultParagraphTransformers()...),
		)),
		goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.Footnote),
	)
	began   = regexp.MustCompile(`(?mi)^ {0,3}(/promobot)(?:[ \t].*)?$`)
	endings = strings.NewReplacer("\r\n", "\n", "\r", "\n")
	// quoting are the tags between which text is somebody else's, code, or taken
	// back; a comment is none, whatever stands in it.
	quoting     = regexp.MustCompile(`(?i)<(/?)(?:blockquote|code|del|kbd|pre|q|s|samp|strike|tt)\b`)
	htmlComment = regexp.MustCompile(`(?s)<!--(?:-?>|.*?(?:--!?>|$))`)
)

// line is one line of a comment that is a command.
type line struct {
	number int
	text   string // from /promobot on
}

// lines are a comment's commands, in order. For a comment that is too long to
// know, they are what looks like the first.
func lines(body string) (found []line, long bool) {
	body = endings.Replace(body)
	like := began.FindAllStringSubmatchIndex(body, -1)
	if like == nil {
		return nil, false
	}
	if len(body) > mostBody {
		start := like[0][2]
		return []line{{number: 1 + strings.Count(body[:start], "\n"), text: body[start:like[0][1]]}}, true
	}
	prose := proseOf([]byte(body))
	at, number := 0, 1
	for _, f := range like {
		start, end := f[2], f[1]
		number += strings.Count(body[at:start], "\n")
		at = start
		for len(prose) > 0 && prose[0].Stop <= start {
			prose = prose[1:]
		}
		if len(prose) > 0 && prose[0].Start <= start {
			found = append(found, line{number: number, text: body[start:end]})
		}
	}
	return found, false
}

// proseOf are the parts of a comment that are plain text, in order.
func proseOf(source []byte) []text.Segment {
	w := &walker{source: source}
	// The walker returns no error.
	_ = ast.Walk(markdown.Parser().Parse(text.NewReader(source)), w.visit)
	return w.prose
}

type walker struct {
	source []byte
	prose  []text.Segment
	depth  int // of tags that quote
}

func (w *walker) visit(n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	switch n := n.(type) {
	case *ast.Document, *ast.Paragraph, *ast.TextBlock, *ast.Heading, *ast.List, *ast.ListItem:
		return ast.WalkContinue, nil
	case *ast.Text:
		if w.depth == 0 {
			w.prose = append(w.prose, n.Segment)
		}
	case *ast.HTMLBlock:
		html := n.Lines().Value(w.source)
		if n.HasClosure() {
			html = append(bytes.Clone(html), n.ClosureLine.Value(w.source)...)
		}
		w.tags(html)
	case *ast.RawHTML:
		w.tags(n.Segments.Value(w.source))
	}
	return ast.WalkSkipChildren, nil
}

// tags follows HTML's tags in and out of what is quoted.
func (w *walker) tags(html []byte) {
	for _, m := range quoting.FindAllSubmatch(htmlComment.ReplaceAll(html, nil), -1) {
		if len(m[1]) == 0 {
			w.depth++
		} else if w.depth > 0 {
			w.depth--
		}
	}
}
