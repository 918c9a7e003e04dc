package gitrepo

// Reading objects: ids go to one cat-file process by its standard input, whole
// objects come back. Nothing here can start a fetch.

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// object is one answer of cat-file.
type object struct {
	id      string
	kind    string // commit, tree, blob, tag; "" when missing
	size    int64
	data    []byte // nil when only looked at, or larger than asked for
	missing bool
}

// isID says whether s is a full object id. Anything else never reaches git.
func isID(s string) bool {
	if len(s) != 40 && len(s) != 64 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// readObjects calls each with every object of ids, in order. Data of objects
// larger than limit bytes is not kept; limit 0 asks for type and size alone.
func (r *Repository) readObjects(ctx context.Context, ids []string, limit int64, each func(object) error) error {
	for len(ids) > 0 {
		served, err := r.catFile(ctx, ids, limit, each)
		if err == nil {
			return nil
		}
		// In a user's own partial clone git tries to fetch what is missing, may
		// not, and dies (2.39 knows no other way): the rest is read by another.
		var p *ProcessError
		if !r.local || served == len(ids) || !errors.As(err, &p) || !strings.Contains(p.Stderr, "promisor remote") {
			return r.noteDamage(explain(err, false))
		}
		if err := each(object{id: ids[served], missing: true}); err != nil {
			return err
		}
		ids = ids[served+1:]
	}
	return nil
}

// noteDamage makes the next Fetch clone anew when a read found the mirror damaged.
func (r *Repository) noteDamage(err error) error {
	if errors.Is(err, ErrCorrupt) && !r.local {
		r.suspect.Store(true)
	}
	return err
}

func (r *Repository) catFile(ctx context.Context, ids []string, limit int64, each func(object) error) (served int, err error) {
	mode := "--batch"
	if limit == 0 {
		mode = "--batch-check"
	}
	var in bytes.Buffer
	for _, id := range ids {
		in.WriteString(id)
		in.WriteByte('\n')
	}
	err = r.run.do(ctx, command{
		name: "cat-file", args: []string{"cat-file", mode}, gitDir: r.dir, stdin: &in, timeout: r.opts.Timeout,
		read: func(out *bufio.Reader) error {
			for _, id := range ids {
				o, err := readObject(out, id, limit)
				if err != nil {
					return err
				}
				if err := each(o); err != nil {
					return err
				}
				served++
			}
			return nil
		},
	})
	return served, err
}

// readObject reads one answer: "<id> <type> <size>" and, if asked for, the
// bytes and a line end; or "<id> missing" ("git cat-file", BATCH OUTPUT).
func readObject(out *bufio.Reader, id string, limit int64) (object, error) {
	line, err := out.ReadString('\n')
	if err != nil {
		return object{}, fmt.Errorf("git cat-file broke off at %s: %w", id, io.ErrUnexpectedEOF)
	}
	parts := strings.Fields(line)
	if len(parts) == 2 {
		return object{id: id, missing: true}, nil
	}
	if len(parts) != 3 {
		return object{}, fmt.Errorf("git cat-file answered %q", clip(line, 200))
	}
	size, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return object{}, fmt.Errorf("git cat-file answered %q", clip(line, 200))
	}
	o := object{id: id, kind: parts[1], size: size}
	if limit == 0 {
		return o, nil
	}
	if size > limit {
		_, err = io.CopyN(io.Discard, out, size)
	} else {
		o.data = make([]byte, size)
		_, err = io.ReadFull(out, o.data)
	}
	if err == nil {
		_, err = out.Discard(1)
	}
	if err != nil {
		return object{}, fmt.Errorf("git cat-file broke off in %s: %w", id, io.ErrUnexpectedEOF)
	}
	return o, nil
}

// structureLimit bounds commits and trees, which people's tools keep small.
const structureLimit = 64 << 20

// distinct returns the ids without repetitions, in order.
func distinct(ids []string) []string {
	seen := make(map[string]bool, len(ids))
	out := make([]string, 0, len(ids))
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}
