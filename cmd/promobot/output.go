package main

// What the offline commands share: reading a repository on this machine, and
// showing what stands in it. Names, values and messages out of a repository are
// hostile: nothing of them reaches a terminal but as printable characters.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/promobot/promobot/promotion/config"
	"github.com/promobot/promobot/promotion/gitrepo"
)

// unreadable is something that could not be read.
func unreadable(format string, args ...any) error {
	return &exitError{exitUnreadable, fmt.Errorf(format, args...)}
}

// silent says by the exit code that something is wrong, when all has been said
// on stdout.
func silent() error { return &exitError{exitWrong, errors.New("")} }

// printer writes for people: colours only where they can be seen.
type printer struct {
	to      io.Writer
	colours bool
}

func newPrinter(to io.Writer) printer {
	return printer{to: to, colours: isTerminal(to) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// The colours, as codes of ECMA-48's SGR.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (p printer) paint(code, text string) string {
	if !p.colours || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p printer) line(format string, args ...any) { fmt.Fprintf(p.to, format+"\n", args...) }

// table writes rows in columns; the last is not padded.
func (p printer) table(indent string, rows [][]string) {
	var width []int
	for _, r := range rows {
		for i, cell := range r {
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], min(utf8.RuneCountInString(cell), widestCell))
		}
	}
	for _, r := range rows {
		var b strings.Builder
		for i, cell := range r {
			b.WriteString(cell)
			if i < len(r)-1 {
				b.WriteString(strings.Repeat(" ", max(0, width[i]-utf8.RuneCountInString(cell))+2))
			}
		}
		fmt.Fprintln(p.to, indent+strings.TrimRight(b.String(), " "))
	}
}

// widestCell keeps one long value from pushing all other columns out of sight.
const widestCell = 60

// printable shows a text of unknown making on one line: what does not print,
// and what would turn a line around, is written as Go writes it in a string.
func printable(s string) string {
	clean := true
	for _, r := range s {
		clean = clean && r != utf8.RuneError && unicode.IsPrint(r)
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}

// writeJSON writes indented JSON with a final line end, in which everything that
// does not print is escaped: encoding/json leaves what 8-bit terminals obey.
func writeJSON(to io.Writer, v any) error {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	var out strings.Builder
	for _, r := range b.String() {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			out.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	_, err := io.WriteString(to, out.String())
	return err
}

// printProblems writes one problem a line, its remedy after it.
func (p printer) printProblems(problems config.Problems) {
	for _, x := range problems {
		at := fmt.Sprintf("%s:%d:%d:", printable(x.File), x.Line, x.Column)
		text := printable(x.Message)
		if x.Remedy != "" {
			text += "; " + printable(x.Remedy)
		}
		p.line("%s %s", p.paint(bold, at), text)
	}
}

// localRepository is a repository on this machine at one commit.
type localRepository struct {
	*gitrepo.Repository
	path string
}

func openRepository(path string) (*localRepository, error) {
	r, err := gitrepo.OpenLocal(path)
	if err != nil {
		return nil, unreadable("%w; name a git repository with --repo", err)
	}
	return &localRepository{r, path}, nil
}

// resolve is the commit that a revision of the person at this machine names.
func (r *localRepository) resolve(ctx context.Context, revision string) (string, error) {
	id, err := r.Resolve(ctx, revision)
	switch {
	case errors.Is(err, gitrepo.ErrUnknownCommit) && revision == "HEAD":
		return "", unreadable("%s has no commit yet", printable(r.path))
	case errors.Is(err, gitrepo.ErrUnknownCommit):
		return "", unreadable("%s has no commit %s; `git fetch` may bring it", printable(r.path), printable(revision))
	case err != nil:
		return "", unreadable("%s: %w", printable(r.path), err)
	}
	return id, nil
}

// pipelineText reads the pipeline file: the one named, or the repository's at a
// commit.
func (r *localRepository) pipelineText(ctx context.Context, named, commit string, stdin io.Reader) (name string, text []byte, err error) {
	if named != "" {
		return readNamed(named, stdin)
	}
	text, mode, found, err := r.ReadFile(ctx, commit, config.Path)
	switch {
	case err != nil:
		return "", nil, unreadable("%s at %.10s: %w", config.Path, commit, err)
	case !found && !r.isHead(ctx, commit):
		head, err := r.Resolve(ctx, "HEAD")
		if err != nil {
			return "", nil, unreadable("%s: %w", printable(r.path), err)
		}
		return r.pipelineText(ctx, named, head, stdin)
	case !found:
		if _, err := os.Stat(filepath.Join(r.path, config.Path)); err == nil {
			return "", nil, unreadable("%s is not committed at %.10s; commit it, or use it as it is with --file", config.Path, commit)
		}
		return "", nil, unreadable("%s has no %s at %.10s; name one with --file, or begin with\n\n%s", printable(r.path), config.Path, commit, config.Example)
	case text == nil || mode == "120000":
		return "", nil, unreadable("%s at %.10s is not a regular file; name one with --file", config.Path, commit)
	}
	return config.Path, text, nil
}

// isHead says whether a commit is the one that is checked out.
func (r *localRepository) isHead(ctx context.Context, commit string) bool {
	head, err := r.Resolve(ctx, "HEAD")
	return err != nil || head == commit
}

// readNamed reads a file by its name, - being standard input.
func readNamed(name string, stdin io.Reader) (string, []byte, error) {
	if name == "-" {
		text, err := io.ReadAll(io.LimitReader(stdin, mostRead))
		if err != nil {
			return "", nil, unreadable("standard input: %w", err)
		}
		return "stdin", text, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return "", nil, unreadable("%w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, mostRead))
	if err = errors.Join(err, f.Close()); err != nil {
		return "", nil, unreadable("%w", err)
	}
	return name, text, nil
}

// mostRead is far above what a pipeline file may be, which says so itself.
const mostRead = 64 << 20
