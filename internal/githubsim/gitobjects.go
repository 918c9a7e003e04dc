package githubsim

// Reading objects through one long-lived `git cat-file --batch` per
// repository, which is some hundred times faster than a process per object.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// errNoObject says that a name or id means nothing in the repository.
var errNoObject = errors.New("no such object")

// catFile is a running `git cat-file --batch`.
type catFile struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// object is one git object.
type object struct {
	id   string
	kind string // commit, tree, blob, tag
	data []byte
}

// object reads an object by id or by an expression such as <id>^{tree} or
// <id>:path. It fails with errNoObject when there is none.
func (st *store) object(expression string) (object, error) {
	if strings.ContainsAny(expression, "\n\x00") || expression == "" {
		return object{}, errNoObject
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.batch == nil {
		b, err := st.startBatch()
		if err != nil {
			return object{}, err
		}
		st.batch = b
	}
	o, err := st.batch.read(expression)
	if err != nil && !errors.Is(err, errNoObject) {
		st.batch.stop()
		st.batch = nil
	}
	return o, err
}

func (st *store) startBatch() (*catFile, error) {
	cmd := exec.CommandContext(st.git.life, st.git.binary, "cat-file", "--batch")
	cmd.Dir, cmd.Env = st.path, st.git.env
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting git cat-file: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting git cat-file: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting git cat-file: %w", err)
	}
	return &catFile{cmd: cmd, in: in, out: bufio.NewReader(out)}, nil
}

func (b *catFile) read(expression string) (object, error) {
	if _, err := io.WriteString(b.in, expression+"\n"); err != nil {
		return object{}, fmt.Errorf("asking git cat-file: %w", err)
	}
	head, err := b.out.ReadString('\n')
	if err != nil {
		return object{}, fmt.Errorf("reading from git cat-file: %w", err)
	}
	fields := strings.Fields(head)
	if len(fields) != 3 || strings.HasSuffix(head, " missing\n") || strings.HasSuffix(head, " ambiguous\n") {
		return object{}, errNoObject
	}
	size, err := strconv.Atoi(fields[2])
	if err != nil {
		return object{}, fmt.Errorf("git cat-file answered %q", head)
	}
	data := make([]byte, size+1) // with the newline behind it
	if _, err := io.ReadFull(b.out, data); err != nil {
		return object{}, fmt.Errorf("reading from git cat-file: %w", err)
	}
	return object{id: fields[0], kind: fields[1], data: data[:size]}, nil
}

func (b *catFile) stop() {
	_ = b.in.Close()
	_ = b.cmd.Process.Kill() // it may have ended already
	_ = b.cmd.Wait()
}

func (st *store) close() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.batch != nil {
		st.batch.stop()
		st.batch = nil
	}
}

// signature is a name with a time, of a commit or a tag.
type signature struct {
	name, email string
	when        time.Time
}

// commit is a parsed commit.
type commit struct {
	id                string
	tree              string
	parents           []string
	author, committer signature
	message           string
	signed            string // the gpgsig header; "" for none
	raw               []byte
}

// commit reads a commit; expression may also be a tag or a ref.
func (st *store) commit(expression string) (commit, error) {
	o, err := st.object(expression + "^{commit}")
	if err != nil {
		return commit{}, err
	}
	return parseCommit(o), nil
}

func parseCommit(o object) commit {
	c := commit{id: o.id, raw: o.data}
	head, message, _ := strings.Cut(string(o.data), "\n\n")
	c.message = message
	key := ""
	for line := range strings.SplitSeq(head, "\n") {
		if rest, more := strings.CutPrefix(line, " "); more {
			if key == "gpgsig" {
				c.signed += "\n" + rest
			}
			continue
		}
		var value string
		key, value, _ = strings.Cut(line, " ")
		switch key {
		case "tree":
			c.tree = value
		case "parent":
			c.parents = append(c.parents, value)
		case "author":
			c.author = parseSignature(value)
		case "committer":
			c.committer = parseSignature(value)
		case "gpgsig":
			c.signed = value
		}
	}
	return c
}

// parseSignature reads "Name <email> seconds zone".
func parseSignature(text string) signature {
	var sig signature
	name, rest, _ := strings.Cut(text, "<")
	email, when, _ := strings.Cut(rest, ">")
	sig.name, sig.email = strings.TrimSpace(name), email
	fields := strings.Fields(when)
	if len(fields) == 2 {
		seconds, err := strconv.ParseInt(fields[0], 10, 64)
		zone, zoneErr := time.Parse("-0700", fields[1])
		if err == nil && zoneErr == nil {
			_, offset := zone.Zone()
			sig.when = time.Unix(seconds, 0).In(time.FixedZone("", offset))
		}
	}
	return sig
}

// treeEntry is one line of a tree.
type treeEntry struct {
	mode string // 100644, 100755, 120000, 160000, 040000
	kind string // blob, tree, commit
	id   string
	name string // in a recursive listing, the path
	size int64  // of a blob
}

// tree lists a tree, or everything below it.
func (st *store) tree(ctx context.Context, id string, recursive bool) ([]treeEntry, error) {
	args := []string{"ls-tree", "-z", "--long"}
	if recursive {
		args = append(args, "-r", "-t")
	}
	out, err := st.run(ctx, gitInput{}, append(args, id)...)
	if err != nil {
		return nil, err
	}
	var list []treeEntry
	for line := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		head, name, found := strings.Cut(line, "\t")
		fields := strings.Fields(head)
		if !found || len(fields) != 4 {
			continue
		}
		e := treeEntry{mode: fields[0], kind: fields[1], id: fields[2], name: name}
		if n, err := strconv.ParseInt(fields[3], 10, 64); err == nil {
			e.size = n
		}
		list = append(list, e)
	}
	return list, nil
}
