package gitrepo

// How a git process is run: with an environment built from nothing, a bounded
// number at a time, bounded in time, ended gently first so that git removes its
// own lock files, and with what it says on standard error kept without
// credentials.

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

type runner struct {
	git   string
	home  string
	slots *slots
}

func newRunner(git, home string, processes int) *runner {
	return &runner{git: git, home: home, slots: newSlots(processes)}
}

// access says what a process may do.
type access int

const (
	local     access = iota // no network, no remote
	fetch                   // from the remote, which promises what is missing
	mirroring               // fetch of all refs, with the mirror's refspecs
	cloning                 // the first of these
	push                    // to the remote, which promises nothing
	look                    // reads the remote's refs
)

// command is one git process.
type command struct {
	name    string // for errors: the git command's name
	args    []string
	gitDir  string // GIT_DIR; "" lets git look from workDir
	workDir string
	stdin   io.Reader
	// read consumes standard output; nil discards it. When it fails the process
	// is ended.
	read func(*bufio.Reader) error
	// heard, when set, is given what the process said on standard error,
	// without credentials, whether it failed or not.
	heard   func(string)
	access  access
	agreed  bool // a push that is known to have its base in common with the remote, or to be refused
	urgent  bool // what a push cannot do without: it goes where pushes go
	url     string
	token   string
	timeout time.Duration
}

// stderrLimit is how much of a process's complaints is kept.
const stderrLimit = 64 << 10

// do runs one process and waits for it. A process that fails is a *ProcessError;
// one ended because ctx was done, ctx's error.
func (r *runner) do(ctx context.Context, c command) error {
	leave, err := r.slots.admit(ctx, c.access, c.urgent)
	if err != nil {
		return fmt.Errorf("git %s: %w", c.name, err)
	}
	defer leave()
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()

	env, secrets, err := c.environ(r.home)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, r.git, c.args...)
	cmd.Env = env
	cmd.Dir = c.workDir
	if cmd.Dir == "" {
		cmd.Dir = c.gitDir
	}
	cmd.Stdin = c.stdin
	var stderr cappedBuffer
	cmd.Stderr = &stderr
	ownGroup(cmd)
	cmd.WaitDelay = 10 * time.Second

	var readErr error
	if c.read == nil {
		err = cmd.Run()
	} else {
		readErr, err = runReading(cmd, c.read, cancel)
	}
	if c.heard != nil {
		c.heard(scrub(stderr.String(), secrets))
	}
	if err == nil {
		return readErr
	}
	if readErr != nil && !brokeOff(readErr) {
		return readErr
	}
	if ctx.Err() != nil {
		endGroup(cmd)
	}
	if ctxErr := outer.Err(); ctxErr != nil {
		return fmt.Errorf("git %s: %w", c.name, ctxErr)
	}
	if ctxErr := ctx.Err(); ctxErr != nil {
		return fmt.Errorf("git %s took longer than %v: %w", c.name, c.timeout, ctxErr)
	}
	exit := -1
	if ee, ok := errors.AsType[*exec.ExitError](err); ok {
		exit = ee.ExitCode()
	} else if stderr.Len() == 0 {
		stderr.WriteString(err.Error())
		if errors.Is(err, os.ErrNotExist) {
			stderr.WriteString(" (not a git repository)")
		}
	}
	return &ProcessError{Name: c.name, Exit: exit, Stderr: scrub(stderr.String(), secrets)}
}

// runReading runs a process whose output is consumed while it runs.
func runReading(cmd *exec.Cmd, read func(*bufio.Reader) error, cancel func()) (readErr, err error) {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	readErr = read(bufio.NewReaderSize(out, 64<<10))
	if readErr != nil && !brokeOff(readErr) {
		cancel()
	}
	if _, copyErr := io.Copy(io.Discard, out); copyErr != nil && readErr == nil {
		readErr = copyErr
	}
	return readErr, cmd.Wait()
}

// brokeOff says whether output ended early: then the process says why.
func brokeOff(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}

// text runs a process and returns its output.
func (r *runner) text(ctx context.Context, c command) (string, error) {
	var b bytes.Buffer
	c.read = func(out *bufio.Reader) error {
		_, err := b.ReadFrom(out)
		return err
	}
	err := r.do(ctx, c)
	return b.String(), err
}

// passed are the variables of promobot's own environment that git sees: how to
// find programs, how to reach and to trust the remote.
var passed = []string{
	"PATH", "TMPDIR", "SYSTEMROOT",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_EXEC_PATH",
}

// remoteName is the remote's name in the configuration that processes are given.
const remoteName = "origin"

// environ builds the whole environment of a process, and says which of its
// parts are secret. Configuration comes by GIT_CONFIG_COUNT ("git config",
// ENVIRONMENT): arguments are visible to every user of the machine.
func (c command) environ(home string) (env, secrets []string, err error) {
	for _, name := range passed {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	protocols := "none"
	config := [][2]string{
		{"gc.auto", "0"},
		{"maintenance.auto", "false"},
		{"core.hooksPath", os.DevNull},
		{"core.fsmonitor", "false"},
		// What is made here is read once more, by the push, and packed later.
		{"core.looseCompression", "0"},
		{"credential.helper", ""},
	}
	if c.access != local {
		u, err := remoteURL(c.url)
		if err != nil {
			return nil, nil, err
		}
		protocols = u.Scheme
		config = append(config, c.remoteConfig(u)...)
		if c.token != "" {
			basic := base64.StdEncoding.EncodeToString([]byte("x-access-token:" + c.token))
			secrets = []string{c.token, basic}
			scope := u.Scheme + "://" + u.Host + "/"
			config = append(config, [2]string{"http." + scope + ".extraHeader", "Authorization: Basic " + basic})
		}
	}
	env = append(
		env,
		"HOME="+home,
		"LC_ALL=C",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL="+os.DevNull,
		"GIT_TERMINAL_PROMPT=0",
		"GIT_NO_LAZY_FETCH=1",
		"GIT_NO_REPLACE_OBJECTS=1",
		"GIT_LITERAL_PATHSPECS=1",
		"GIT_OPTIONAL_LOCKS=0",
		"GIT_ALLOW_PROTOCOL="+protocols,
		"GIT_CONFIG_COUNT="+strconv.Itoa(len(config)),
	)
	if c.gitDir != "" {
		env = append(env, "GIT_DIR="+c.gitDir)
	}
	for i, kv := range config {
		n := strconv.Itoa(i)
		env = append(env, "GIT_CONFIG_KEY_"+n+"="+kv[0], "GIT_CONFIG_VALUE_"+n+"="+kv[1])
	}
	return env, secrets, nil
}

// remoteConfig is the remote as a process with this access sees it. A mirror's
// own configuration names no remote at all: a local process has none to ask.
func (c command) remoteConfig(u *url.URL) [][2]string {
	config := [][2]string{
		{"remote." + remoteName + ".url", u.String()},
		{"http.followRedirects", "false"},
		// A transfer that stands still for a minute is broken off.
		{"http.lowSpeedLimit", "1"},
		{"http.lowSpeedTime", "60"},
	}
	switch c.access {
	case fetch, mirroring, cloning:
		config = append(
			config,
			[2]string{"remote." + remoteName + ".promisor", "true"},
			[2]string{"remote." + remoteName + ".partialCloneFilter", "blob:none"},
		)
		switch c.access {
		case mirroring, cloning:
			// A bare clone has no refspecs: these make the mirror.
			config = append(
				config,
				[2]string{"remote." + remoteName + ".fetch", "+refs/heads/*:refs/heads/*"},
				[2]string{"remote." + remoteName + ".fetch", "+refs/promobot/*:refs/promobot/*"},
			)
		case fetch:
			config = append(config, [2]string{"fetch.negotiationAlgorithm", "noop"})
		default:
		}
	case push:
		// Without negotiation a push whose base moved after the fetch finds
		// nothing in common, and packs all history.
		config = append(config, [2]string{"push.negotiate", strconv.FormatBool(!c.agreed)})
	case local, look:
	}
	return config
}

func remoteURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("the repository's URL cannot be read")
	}
	if u.User != nil {
		return nil, errors.New("the repository's URL holds credentials: give it without")
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("the repository's URL %q is not an http or https one", clip(raw, 200))
	}
	return u, nil
}

// cappedBuffer keeps the first and the last of what is written to it.
type cappedBuffer struct {
	head, tail []byte
}

// Write keeps what fits and never fails.
func (b *cappedBuffer) Write(p []byte) (int, error) {
	n := len(p)
	if room := stderrLimit - len(b.head); room > 0 {
		k := min(room, len(p))
		b.head = append(b.head, p[:k]...)
		p = p[k:]
	}
	b.tail = append(b.tail, p...)
	if over := len(b.tail) - stderrLimit; over > 0 {
		b.tail = append(b.tail[:0], b.tail[over:]...)
	}
	return n, nil
}

// WriteString writes a string.
func (b *cappedBuffer) WriteString(s string) { _, _ = b.Write([]byte(s)) }

// Len is how much is kept.
func (b *cappedBuffer) Len() int { return len(b.head) + len(b.tail) }

// String is what was kept.
func (b *cappedBuffer) String() string {
	return strings.ToValidUTF8(string(b.head)+string(b.tail), "?")
}
