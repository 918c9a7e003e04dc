package githubsim

// What GitHub refuses of a push before git's own checks, and in which words.
// One refused ref makes the others fail too ("pre-receive hook declined"), as
// GitHub's hooks run before any ref moves.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// pushRequest is a parsed git-receive-pack request.
type pushRequest struct {
	commands     []refUpdate
	capabilities []string
	pack         []byte
}

// parsePush reads the commands and finds the pack (gitprotocol-pack).
func parsePush(body []byte) (pushRequest, error) {
	var p pushRequest
	for {
		line, rest, err := packetLine(body)
		if err != nil {
			return p, err
		}
		body = rest
		if line == nil {
			break
		}
		text, capabilities, has := strings.Cut(strings.TrimSuffix(string(line), "\n"), "\x00")
		if has {
			p.capabilities = strings.Fields(capabilities)
		}
		if fields := strings.SplitN(text, " ", 3); len(fields) == 3 && len(fields[0]) == 40 {
			p.commands = append(p.commands, refUpdate{name: fields[2], old: fields[0], new: fields[1]})
		}
	}
	if slices.Contains(p.capabilities, "push-options") {
		for {
			line, rest, err := packetLine(body)
			if err != nil {
				return p, err
			}
			body = rest
			if line == nil {
				break
			}
		}
	}
	p.pack = body
	return p, nil
}

// packetLine cuts one pkt-line off; nil for a flush packet.
func packetLine(data []byte) (line, rest []byte, err error) {
	if len(data) < 4 {
		return nil, nil, errors.New("a packet line is cut off")
	}
	n, err := strconv.ParseUint(string(data[:4]), 16, 16)
	if err != nil || (n != 0 && n < 4) || int(n) > len(data) {
		return nil, nil, errors.New("a packet line has no proper length")
	}
	if n == 0 {
		return nil, data[4:], nil
	}
	return data[4:n], data[n:], nil
}

// refusal is why one ref may not move.
type refusal struct {
	reason string   // in the line "! [remote rejected] … (reason)"
	lines  []string // shown as "remote: …"
}

// refusals are GitHub's objections to a push, by ref. Called with gitMu held.
func (s *Server) refusals(ctx context.Context, repo *repository, who identity, p pushRequest) (map[string]refusal, error) {
	out := map[string]refusal{}
	s.mu.Lock()
	noWorkflows := who.installation() != nil && !who.token.allows(writes("workflows"))
	var toBranches []refUpdate
	protected := map[string][]*protection{}
	for _, u := range p.commands {
		branch, isBranch := strings.CutPrefix(u.name, "refs/heads/")
		if !isBranch {
			continue
		}
		if u.new == zeroID && branch == repo.defaultBranch {
			out[u.name] = refusal{reason: "refusing to delete the current branch: " + u.name}
			continue
		}
		if rules := s.rulesOn(repo, branch, who); len(rules) > 0 {
			protected[u.name] = rules
		}
		if u.new != zeroID {
			toBranches = append(toBranches, u)
		}
	}
	s.mu.Unlock()

	quarantine := gitInput{}
	if (noWorkflows && len(toBranches) > 0) || len(protected) > 0 {
		env, remove, err := repo.store.quarantine(ctx, p.pack)
		if err != nil {
			return nil, err
		}
		defer remove()
		quarantine.env = env
	}
	if noWorkflows && len(toBranches) > 1 {
		var tips []string
		for _, u := range toBranches {
			tips = append(tips, u.new)
		}
		file, err := repo.store.workflowTouched(ctx, quarantine, tips...)
		if err != nil {
			return nil, err
		}
		noWorkflows = file != "" // none of them touches one
	}
	if noWorkflows {
		for _, u := range toBranches {
			file, err := repo.store.workflowTouched(ctx, quarantine, u.new)
			if err != nil {
				return nil, err
			}
			if file != "" {
				out[u.name] = refusal{reason: fmt.Sprintf(
					"refusing to allow a GitHub App to create or update workflow `%s` without `workflows` permission", file)}
			}
		}
	}
	for _, u := range p.commands {
		if rules, is := protected[u.name]; is {
			r, refused, err := s.protectionRefuses(ctx, repo, who, u, rules, quarantine)
			if err != nil {
				return nil, err
			}
			if refused {
				out[u.name] = r
			}
		}
	}
	return out, nil
}

// quarantine unpacks a pack beside the repository's objects, for looking at
// what a push brings before it is accepted. It returns the environment in
// which git sees both, and a function that removes it.
func (st *store) quarantine(ctx context.Context, pack []byte) ([]string, func(), error) {
	dir, err := os.MkdirTemp(st.path, "quarantine-")
	if err != nil {
		return nil, nil, fmt.Errorf("making a quarantine: %w", err)
	}
	remove := func() { _ = os.RemoveAll(dir) } // Close removes what is left
	env := []string{
		"GIT_OBJECT_DIRECTORY=" + dir,
		"GIT_ALTERNATE_OBJECT_DIRECTORIES=" + filepath.Join(st.path, "objects"),
	}
	if len(pack) > 0 {
		if _, err := st.run(ctx, gitInput{stdin: pack, env: env}, "unpack-objects", "-q"); err != nil {
			remove()
			return nil, nil, err
		}
	}
	return env, remove, nil
}

// workflowTouched names a workflow file that commits new to the repository
// create or change, or "". Of several tips it says whether any of them does.
func (st *store) workflowTouched(ctx context.Context, in gitInput, tips ...string) (string, error) {
	args := append([]string{"log", "-z", "--format=", "--name-only", "--diff-merges=first-parent"}, tips...)
	out, err := st.run(ctx, in, append(args, "--not", "--all", "--", ".github/workflows")...)
	if gitExit(err) > 0 {
		if len(tips) > 1 {
			return tips[0], nil // to be looked at one by one
		}
		return "", nil // the objects are not complete: git's own check says so
	}
	if err != nil {
		return "", err
	}
	for name := range strings.SplitSeq(string(out), "\x00") {
		if name = strings.TrimLeft(name, "\n"); name != "" {
			return name, nil
		}
	}
	return "", nil
}

// writeRefusal answers a push in which nothing moved.
func (p pushRequest) writeRefusal(w http.ResponseWriter, refusals map[string]refusal) {
	var report, out bytes.Buffer
	packet := func(to *bytes.Buffer, text string) { fmt.Fprintf(to, "%04x%s", len(text)+4, text) }
	packet(&report, "unpack ok\n")
	var lines []string
	for _, u := range p.commands {
		r, refused := refusals[u.name]
		if !refused {
			r.reason = "pre-receive hook declined"
		}
		lines = append(lines, r.lines...)
		packet(&report, fmt.Sprintf("ng %s %s\n", u.name, r.reason))
	}
	report.WriteString("0000")
	if slices.Contains(p.capabilities, "side-band-64k") {
		for _, line := range lines {
			packet(&out, "\x02"+line+"\n")
		}
		for data := report.Bytes(); len(data) > 0; {
			n := min(len(data), 65000)
			packet(&out, "\x01"+string(data[:n]))
			data = data[n:]
		}
		out.WriteString("0000")
	} else {
		out = report
	}
	w.Header().Set("Content-Type", "application/x-git-receive-pack-result")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(out.Bytes()) // a client that went away needs no answer
}
