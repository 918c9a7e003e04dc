package githubsim

// Writing objects. Objects are written loose, as git writes them, without a
// process per object.

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// writeObject stores an object and returns its id.
func (st *store) writeObject(kind string, data []byte) (string, error) {
	full := append(fmt.Appendf(nil, "%s %d\x00", kind, len(data)), data...)
	sum := sha1.Sum(full)
	id := hex.EncodeToString(sum[:])
	dir := filepath.Join(st.path, "objects", id[:2])
	target := filepath.Join(dir, id[2:])
	if _, err := os.Stat(target); err == nil {
		return id, nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", fmt.Errorf("storing an object: %w", err)
	}
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	_, err := z.Write(full)
	if err = errors.Join(err, z.Close()); err != nil {
		return "", fmt.Errorf("packing an object: %w", err)
	}
	file, err := os.CreateTemp(dir, "tmp_obj_")
	if err != nil {
		return "", fmt.Errorf("storing an object: %w", err)
	}
	_, err = file.Write(packed.Bytes())
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), target)
	}
	if err != nil {
		_ = os.Remove(file.Name()) // the first error counts
		return "", fmt.Errorf("storing an object: %w", err)
	}
	return id, nil
}

// newCommit is a commit to be written.
type newCommit struct {
	tree              string
	parents           []string
	author, committer signature
	message           string
	sign              bool // as GitHub signs what is made on its servers
}

// webFlow is the committer of what GitHub makes itself.
func webFlow(now time.Time) signature {
	return signature{name: "GitHub", email: "noreply@github.com", when: now}
}

func (s signature) String() string {
	clean := strings.NewReplacer("<", "", ">", "", "\n", " ")
	return fmt.Sprintf("%s <%s> %d %s", clean.Replace(s.name), clean.Replace(s.email), s.when.Unix(), s.when.Format("-0700"))
}

// writeCommit stores a commit. A signature is a digest that verified
// recognises, in the shape of GitHub's.
func (st *store) writeCommit(n newCommit) (string, error) {
	var head strings.Builder
	fmt.Fprintf(&head, "tree %s\n", n.tree)
	for _, p := range n.parents {
		fmt.Fprintf(&head, "parent %s\n", p)
	}
	fmt.Fprintf(&head, "author %s\ncommitter %s\n", n.author, n.committer)
	body := "\n" + n.message
	if n.sign {
		lines := strings.Split(signatureOf(head.String()+body), "\n")
		fmt.Fprintf(&head, "gpgsig %s\n", strings.Join(lines, "\n "))
	}
	return st.writeObject("commit", []byte(head.String()+body))
}

// signatureOf is the simulated signature of a commit without one. As GitHub's it
// ends with a newline, which stands in the header as a line with only a space.
func signatureOf(unsigned string) string {
	sum := sha256.Sum256([]byte("githubsim web-flow\n" + unsigned))
	return "-----BEGIN PGP SIGNATURE-----\n\n" + base64.StdEncoding.EncodeToString(sum[:]) + "\n-----END PGP SIGNATURE-----\n"
}

// unsigned is a commit's text without its signature.
func (c commit) unsigned() string {
	head, message, _ := strings.Cut(string(c.raw), "\n\n")
	var kept []string
	inSignature := false
	for line := range strings.SplitSeq(head, "\n") {
		switch {
		case strings.HasPrefix(line, "gpgsig "):
			inSignature = true
		case inSignature && strings.HasPrefix(line, " "):
		default:
			inSignature = false
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n") + "\n\n" + message
}

// verified tells whether a commit carries GitHub's signature.
func (c commit) verified() bool {
	return c.signed != "" && c.signed == signatureOf(c.unsigned())
}

// mergeTrees merges two commits. clean is false on conflicts.
func (st *store) mergeTrees(ctx context.Context, ours, theirs string) (tree string, clean bool, err error) {
	out, err := st.run(ctx, gitInput{}, "merge-tree", "--write-tree", "--allow-unrelated-histories", ours, theirs)
	if gitExit(err) == 1 {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	return strings.TrimSpace(string(out)), true, nil
}

// pick applies what a commit changed onto another: a merge of onto's tree and
// the commit, with the commit's parent as their base.
func (st *store) pick(ctx context.Context, onto string, c commit) (tree string, clean bool, err error) {
	if len(c.parents) == 0 {
		return c.tree, true, nil
	}
	target, err := st.commit(onto)
	if err != nil {
		return "", false, err
	}
	standIn, err := st.writeCommit(newCommit{
		tree: target.tree, parents: c.parents[:1], author: c.author, committer: c.committer, message: "onto\n",
	})
	if err != nil {
		return "", false, err
	}
	return st.mergeTrees(ctx, standIn, c.id)
}

// editTree is a tree with some paths written or, when nil, removed.
func (st *store) editTree(ctx context.Context, base string, files map[string]*treeEntry) (string, error) {
	file, err := os.CreateTemp(st.path, "index-")
	if err != nil {
		return "", fmt.Errorf("making an index: %w", err)
	}
	index := file.Name()
	// git wants to make the file itself.
	if err := errors.Join(file.Close(), os.Remove(index)); err != nil {
		return "", fmt.Errorf("making an index: %w", err)
	}
	defer func() { _ = os.Remove(index) }() // what is left goes with the folder
	in := gitInput{env: []string{"GIT_INDEX_FILE=" + index}}
	if base != "" {
		if _, err := st.run(ctx, in, "read-tree", base); err != nil {
			return "", err
		}
	}
	var lines bytes.Buffer
	for path, e := range files {
		if e == nil {
			fmt.Fprintf(&lines, "0 %s\t%s\x00", zeroID, path)
		} else {
			fmt.Fprintf(&lines, "%s %s\t%s\x00", e.mode, e.id, path)
		}
	}
	in.stdin = lines.Bytes()
	if _, err := st.run(ctx, in, "update-index", "-z", "--add", "--replace", "--index-info"); err != nil {
		return "", err
	}
	in.stdin = nil
	return st.line(ctx, in, "write-tree")
}
