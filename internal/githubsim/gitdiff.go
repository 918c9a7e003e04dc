package githubsim

// Differences and histories, computed by git.

import (
	"context"
	"slices"
	"strconv"
	"strings"
)

// emptyTree is the id of the tree without entries.
const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

func fmtInt(n int) string { return strconv.Itoa(n) }

// fileDiff is one changed file.
type fileDiff struct {
	status         string // added, removed, modified, renamed, changed
	path, previous string
	blob           string // new, or the old one of a removed file
	added, gone    int
	patch          string // without a header; "" for binary files
}

// diff compares two trees or commits, finding renames as GitHub does.
func (st *store) diff(ctx context.Context, from, to string) ([]fileDiff, error) {
	out, err := st.run(ctx, gitInput{}, "diff-tree", "-r", "-M", "-z", "--raw", "--numstat", from, to)
	if err != nil {
		return nil, err
	}
	files := parseRawDiff(strings.Split(string(out), "\x00"))
	if len(files) == 0 {
		return nil, nil
	}
	out, err = st.run(ctx, gitInput{}, "diff-tree", "-r", "-M", "-p", "--no-color", "--no-ext-diff", from, to)
	if err != nil {
		return nil, err
	}
	// Every file has a part that starts with "diff --git", in the same order.
	// Inside a part each line starts with a sign of its own.
	parts := strings.Split("\n"+string(out), "\ndiff --git ")[1:]
	for i := range files {
		if i >= len(parts) {
			break
		}
		if at := strings.Index(parts[i], "\n@@ "); at >= 0 {
			files[i].patch = strings.TrimSuffix(parts[i][at+1:], "\n")
		}
	}
	return files, nil
}

// parseRawDiff reads what diff-tree -z --raw --numstat prints.
func parseRawDiff(tokens []string) []fileDiff {
	var files []fileDiff
	at := 0
	next := func() string {
		if at >= len(tokens) {
			return ""
		}
		at++
		return tokens[at-1]
	}
	for at < len(tokens) && strings.HasPrefix(tokens[at], ":") {
		fields := strings.Fields(next()) // :mode mode id id status
		if len(fields) != 5 {
			break
		}
		f := fileDiff{blob: fields[3], path: next()}
		switch fields[4][0] {
		case 'A':
			f.status = "added"
		case 'D':
			f.status, f.blob = "removed", fields[2]
		case 'R':
			f.status, f.previous = "renamed", f.path
			f.path = next()
		case 'C':
			f.status, f.previous = "copied", f.path
			f.path = next()
		case 'T':
			f.status = "changed"
		default:
			f.status = "modified"
		}
		files = append(files, f)
	}
	for i := range files {
		fields := strings.SplitN(next(), "\t", 3)
		if len(fields) != 3 {
			break
		}
		if fields[2] == "" { // a rename: both names follow
			next()
			next()
		}
		files[i].added, _ = strconv.Atoi(fields[0]) // "-" of a binary file counts as 0
		files[i].gone, _ = strconv.Atoi(fields[1])
	}
	return files
}

// mergeBase is the best common ancestor, or "" for unrelated histories.
func (st *store) mergeBase(ctx context.Context, a, b string) (string, error) {
	base, err := st.line(ctx, gitInput{}, "merge-base", a, b)
	if gitExit(err) == 1 {
		return "", nil
	}
	return base, err
}

// commitsBetween lists the commits of to that from lacks, oldest first.
func (st *store) commitsBetween(ctx context.Context, from, to string) ([]string, error) {
	out, err := st.run(ctx, gitInput{}, "rev-list", "--reverse", "--topo-order", to, "^"+from)
	return strings.Fields(string(out)), err
}

// pullDiff compares a pull request's head with where it left the base.
func (st *store) pullDiff(ctx context.Context, base, head string) ([]fileDiff, error) {
	from, err := st.mergeBase(ctx, base, head)
	if err != nil {
		return nil, err
	}
	if from == "" {
		from = emptyTree
	}
	return st.diff(ctx, from, head)
}

// pullStats counts a pull request's commits, files and lines.
func (st *store) pullStats(ctx context.Context, base, head string) (pullStats, error) {
	out := pullStats{head: head, base: base, known: true}
	commits, err := st.commitsBetween(ctx, base, head)
	if err != nil {
		return out, err
	}
	out.commits = len(commits)
	from, err := st.mergeBase(ctx, base, head)
	if err != nil {
		return out, err
	}
	if from == "" {
		from = emptyTree
	}
	raw, err := st.run(ctx, gitInput{}, "diff-tree", "-r", "-M", "-z", "--raw", "--numstat", from, head)
	if err != nil {
		return out, err
	}
	for _, f := range parseRawDiff(strings.Split(string(raw), "\x00")) {
		out.files++
		out.added += f.added
		out.gone += f.gone
	}
	return out, nil
}

// contains tells whether a commit has another in its history.
func (st *store) contains(ctx context.Context, tip, ancestor string) (bool, error) {
	_, err := st.run(ctx, gitInput{}, "merge-base", "--is-ancestor", ancestor, tip)
	if gitExit(err) == 1 {
		return false, nil
	}
	return err == nil, err
}

// resolve turns what a caller wrote (a branch, a tag, a full ref without
// refs/, an id or the beginning of one) into an object id, by the refs given;
// "" if it means nothing.
func (st *store) resolve(refs map[string]string, name string) string {
	for _, full := range []string{"refs/heads/" + name, "refs/tags/" + name, "refs/" + name, name} {
		if id, is := refs[full]; is {
			return id
		}
	}
	isHex := func(c rune) bool { return strings.ContainsRune("0123456789abcdef", c) }
	if len(name) < 7 || len(name) > 40 || slices.ContainsFunc([]rune(name), func(c rune) bool { return !isHex(c) }) {
		return ""
	}
	o, err := st.object(name)
	if err != nil {
		return ""
	}
	return o.id
}
