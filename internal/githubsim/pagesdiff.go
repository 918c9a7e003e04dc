package githubsim

// Diffs for pages: git's unified diff, taken apart into files and lines.

import (
	"context"
	"strconv"
	"strings"
)

// The most that one page shows.
const (
	mostDiffLines = 5000
	mostDiffFiles = 300
)

// diffView is what a diff says about one file.
type diffView struct {
	Path, Was   string // Was is the name before a rename, else empty
	Status      string // added, deleted, renamed, modified
	Binary, Cut bool   // Cut: too long to be shown whole
	Added, Gone int
	Lines       []diffLine
}

// diffLine is one line of a diff. Kind is add, gone, same or hunk; the
// numbers are 0 where the line does not exist.
type diffLine struct {
	Kind     string
	Old, New int
	Text     string
}

// viewDiff reads the diff of a span of commits ("a..b" or "a...b").
func (s *Server) viewDiff(ctx context.Context, r *repository, span string) ([]diffView, error) {
	out, err := r.store.run(ctx, gitInput{}, "-c", "core.quotePath=false", "diff", "--no-color", "--no-ext-diff", "--find-renames", span)
	if gitExit(err) == 128 && strings.Contains(err.Error(), "no merge base") {
		out, err = r.store.run(ctx, gitInput{}, "-c", "core.quotePath=false", "diff", "--no-color", "--no-ext-diff", strings.Replace(span, "...", "..", 1))
	}
	if err != nil {
		return nil, err
	}
	return parseDiff(string(out)), nil
}

// parseDiff takes git's output apart. It is lenient: what it does not know,
// it skips.
func parseDiff(text string) []diffView {
	var files []diffView
	var f *diffView
	oldLine, newLine, shown := 0, 0, 0
	inHunk := false
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, "diff --git ") {
			if len(files) == mostDiffFiles {
				break
			}
			files = append(files, diffView{Status: "modified", Path: gitDiffPath(line)})
			f, inHunk = &files[len(files)-1], false
			continue
		}
		if f == nil {
			continue
		}
		if !inHunk && !strings.HasPrefix(line, "@@ ") {
			f.readHeader(line)
			continue
		}
		kind := ""
		at := diffLine{}
		switch {
		case strings.HasPrefix(line, "@@ "):
			inHunk = true
			oldLine, newLine = hunkStart(line)
			kind, at.Text = "hunk", line
		case strings.HasPrefix(line, "+"):
			kind, at.New, at.Text = "add", newLine, line[1:]
			newLine++
			f.Added++
		case strings.HasPrefix(line, "-"):
			kind, at.Old, at.Text = "gone", oldLine, line[1:]
			oldLine++
			f.Gone++
		case strings.HasPrefix(line, " "):
			kind, at.Old, at.New, at.Text = "same", oldLine, newLine, line[1:]
			oldLine++
			newLine++
		case strings.HasPrefix(line, `\`):
			kind, at.Text = "hunk", line
		default:
			continue
		}
		if shown >= mostDiffLines {
			f.Cut = true
			continue
		}
		shown++
		at.Kind = kind
		f.Lines = append(f.Lines, at)
	}
	return files
}

func (f *diffView) readHeader(line string) {
	switch {
	case strings.HasPrefix(line, "new file mode"):
		f.Status = "added"
	case strings.HasPrefix(line, "deleted file mode"):
		f.Status = "deleted"
	case strings.HasPrefix(line, "rename from "):
		f.Status, f.Was = "renamed", unquotePath(strings.TrimPrefix(line, "rename from "))
	case strings.HasPrefix(line, "rename to "):
		f.Path = unquotePath(strings.TrimPrefix(line, "rename to "))
	case strings.HasPrefix(line, "+++ b/"), strings.HasPrefix(line, `+++ "b/`):
		f.Path = strings.TrimPrefix(unquotePath(strings.TrimSuffix(strings.TrimPrefix(line, "+++ "), "\t")), "b/")
	case strings.HasPrefix(line, "--- a/"), strings.HasPrefix(line, `--- "a/`):
		if f.Status == "deleted" {
			f.Path = strings.TrimPrefix(unquotePath(strings.TrimSuffix(strings.TrimPrefix(line, "--- "), "\t")), "a/")
		}
	case strings.HasPrefix(line, "Binary files "):
		f.Binary = true
	}
}

// gitDiffPath guesses the path from "diff --git a/x b/x", where both are the
// same; other lines correct it where they differ.
func gitDiffPath(line string) string {
	rest := strings.TrimPrefix(line, "diff --git ")
	if strings.HasPrefix(rest, `"`) {
		return strings.TrimPrefix(unquotePath(rest[strings.LastIndex(rest, ` "`)+1:]), "b/")
	}
	half := (len(rest) - 1) / 2
	return strings.TrimPrefix(rest[half+1:], "b/")
}

// unquotePath reads a path that git quotes as C would.
func unquotePath(text string) string {
	if !strings.HasPrefix(text, `"`) {
		return text
	}
	if plain, err := strconv.Unquote(text); err == nil {
		return plain
	}
	return text
}

// hunkStart reads the line numbers of "@@ -1,2 +3,4 @@".
func hunkStart(line string) (before, after int) {
	fields := strings.Fields(line)
	if len(fields) < 3 {
		return 0, 0
	}
	number := func(field string) int {
		first, _, _ := strings.Cut(field[1:], ",")
		n, err := strconv.Atoi(first)
		if err != nil {
			return 0
		}
		return n
	}
	return number(fields[1]), number(fields[2])
}
