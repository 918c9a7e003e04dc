package dryrun

// Unified diffs of what a promotion writes, as git prints them.

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"unicode"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/promobot/promobot/promotion/content"
)

// diff shows edits below a folder against the base branch's tip.
func (w *world) diff(ctx context.Context, dir string, edits []content.Edit) (string, error) {
	files, err := w.List(ctx, w.tip, []string{dir})
	if err != nil {
		return "", err
	}
	var ids []string
	for _, e := range edits {
		if f, there := files[e.Path]; there {
			ids = append(ids, f.Blob)
		}
		if e.Bytes == nil && !e.Delete {
			ids = append(ids, e.Blob)
		}
	}
	blobs, _, err := w.Blobs(ctx, ids)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, e := range edits {
		f, there := files[e.Path]
		after := e.Bytes
		if after == nil {
			after = blobs[e.Blob]
		}
		writeDiff(&out, e, f, there, blobs[f.Blob], after)
	}
	return out.String(), nil
}

func writeDiff(out *strings.Builder, e content.Edit, f content.File, there bool, before, after []byte) {
	from, to := quoted("a/"+e.Path), quoted("b/"+e.Path)
	out.WriteString("diff --git " + from + " " + to + "\n")
	switch {
	case e.Delete:
		out.WriteString("deleted file mode " + f.Mode + "\n")
		to, after = "/dev/null", nil
	case !there:
		out.WriteString("new file mode " + e.Mode + "\n")
		from = "/dev/null"
	case e.Mode != f.Mode:
		out.WriteString("old mode " + f.Mode + "\nnew mode " + e.Mode + "\n")
	}
	if bytes.IndexByte(before, 0) >= 0 || bytes.IndexByte(after, 0) >= 0 {
		out.WriteString("Binary files " + from + " and " + to + " differ\n")
		return
	}
	_, hunks, _ := bytes.Cut(diff.Diff(from, before, to, after), []byte("\n"))
	out.Write(hunks)
}

// quoted is a path as git prints it: one with control characters, quotes or
// backslashes in quotes.
func quoted(path string) string {
	if strings.ContainsFunc(path, func(r rune) bool { return r == '"' || r == '\\' || !unicode.IsPrint(r) }) {
		return strconv.Quote(path)
	}
	return path
}
