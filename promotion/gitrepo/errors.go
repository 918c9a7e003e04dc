package gitrepo

// What can go wrong, in the words that say what to do next, and how git's own
// words are told apart. git has no error codes: these strings are those of git
// 2.39 to 2.50 with LC_ALL=C, and those GitHub sends as "remote:" lines.

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"syscall"
)

var (
	// ErrNotFound says that the remote has no such repository, or shows none to
	// this token: deleted, or the App is not installed on it (any more).
	ErrNotFound = errors.New("the repository was not found: it was deleted, or the App is no longer installed on it")
	// ErrMoved says that the remote redirects: the repository was renamed or
	// transferred, and its URL must be read anew. Redirects are not followed, so
	// that no token travels to where a redirect points.
	ErrMoved = errors.New("the repository was renamed or transferred: its URL must be read anew")
	// ErrUnauthorized says that the remote refused the token, and a second one.
	ErrUnauthorized = errors.New("the remote refused the installation's token")
	// ErrForbidden says that the token is good but does not allow this.
	ErrForbidden = errors.New("the App lacks the permission: its installation must allow to read and write contents")
	// ErrUnknownCommit says that a commit is not in the mirror: wait and fetch.
	ErrUnknownCommit = errors.New("the commit is unknown here")
	// ErrMissing says that a blob is neither here nor on the remote.
	ErrMissing = errors.New("the file's content is neither here nor on the remote")
	// ErrTooLarge says that a file is larger than what is read (Options.MaxBlob).
	ErrTooLarge = errors.New("the file is too large to be read")
	// ErrReadOnly says that a repository was opened for reading alone.
	ErrReadOnly = errors.New("the repository was opened for reading alone")
	// ErrDiskFull says that the mirrors' disk has no room. Nothing was changed, and
	// the same call succeeds when there is room again.
	ErrDiskFull = errors.New("the disk of the git mirrors is full: free space on it, or give the mirrors a larger disk or a smaller disk budget")
	// ErrCorrupt says that the mirror is damaged. The next Fetch clones it anew.
	ErrCorrupt = errors.New("the mirror is damaged and will be cloned anew")
)

// ProcessError is a git process that failed. Its text holds git's own words,
// without credentials.
type ProcessError struct {
	Name   string // the git command
	Exit   int    // -1 when it was killed or could not start
	Stderr string
}

// Error names the command and the line of its output that says most.
func (e *ProcessError) Error() string {
	line := tellingLine(e.Stderr)
	if line == "" {
		return fmt.Sprintf("git %s failed with exit status %d", e.Name, e.Exit)
	}
	return fmt.Sprintf("git %s failed with exit status %d: %s", e.Name, e.Exit, line)
}

// tellingLine is the first fatal line, else the first error, else the first line.
func tellingLine(stderr string) string {
	first := ""
	for _, prefix := range []string{"fatal: ", "error: ", ""} {
		for line := range strings.Lines(stderr) {
			line = strings.TrimSpace(line)
			if line != "" && strings.HasPrefix(line, prefix) {
				first = line
				break
			}
		}
		if first != "" {
			break
		}
	}
	return clip(first, 400)
}

func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// remoteErrors are the words by which a failed use of the network is told.
var remoteErrors = []struct {
	words string
	err   error
}{
	{"returned error: 401", ErrUnauthorized},
	{"authentication failed for", ErrUnauthorized},
	{"could not read username", ErrUnauthorized},
	{"could not read password", ErrUnauthorized},
	{"invalid username or", ErrUnauthorized},
	{"returned error: 404", ErrNotFound},
	{"' not found", ErrNotFound},
	{"remote: repository not found", ErrNotFound},
	{"returned error: 403", ErrForbidden},
	{"returned error: 301", ErrMoved},
	{"returned error: 302", ErrMoved},
	{"returned error: 307", ErrMoved},
	{"returned error: 308", ErrMoved},
	{"unable to update url base from redirection", ErrMoved},
}

// corruptWords are what git says of a damaged repository.
var corruptWords = []string{
	"not a git repository",
	"bad object",
	"bad tree object",
	"missing object",
	"is corrupt",
	"is empty",
	"object corrupt",
	"invalid sha1 pointer",
	"unable to read tree",
	"unable to read sha1 file",
	"could not parse commit",
	"unable to parse commit",
	"did not send all necessary objects",
	"cannot be accessed",
	"index file",
	"packed object",
	"reference broken",
	"unexpected line in",
	"bad config",
	"failed to read object",
	"bad signature",
	"unable to unpack",
	"cannot read existing object",
	"not a git packfile",
	"far too short to be a packfile",
	"does not match index",
	"non-monotonic index",
	"unterminated line in",
}

// explain gives a failed process the error that says what to do next. An error
// of the network comes first: it may name objects, too.
func explain(err error, network bool) error {
	var p *ProcessError
	if !errors.As(err, &p) {
		return err
	}
	words := strings.ToLower(p.Stderr)
	for line := range strings.Lines(words) {
		if !fromRemote(line) && holds(line, fullWords) {
			return fmt.Errorf("%w: %w", ErrDiskFull, err)
		}
	}
	if network {
		for _, r := range remoteErrors {
			if strings.Contains(words, r.words) {
				return fmt.Errorf("%w: %w", r.err, err)
			}
		}
	}
	if tellsDamage(words) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}

// tellsDamage says whether git complains of the repository here. What the remote
// says is not of here, and neither is a pack that came over the network.
func tellsDamage(stderr string) bool {
	for line := range strings.Lines(strings.ToLower(stderr)) {
		if !fromRemote(line) && !strings.Contains(line, "pack has bad object") && holds(line, corruptWords) {
			return true
		}
	}
	return false
}

// fromRemote says whether a line of git's complaints is the remote's.
func fromRemote(line string) bool {
	return strings.HasPrefix(line, "remote:") || strings.Contains(line, "remote error:")
}

// fullWords are the system's words, in lower case, for a disk, a quota or a
// file's bound that leaves no room.
var fullWords = []string{"no space left on device", "disk quota exceeded", "file too large"}

// fullDisk gives an error of the file system that says the same its name.
func fullDisk(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) {
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	return err
}

// tokenLike is what a GitHub token or an authorization header looks like,
// whoever's it is ("About authentication to GitHub", token formats).
var tokenLike = regexp.MustCompile(`(?i)(gh[a-z]_[A-Za-z0-9_.\-]+|github_pat_[A-Za-z0-9_]+|authorization:[^\r\n]*|(https?://)[^/@\s']+@)`)

// scrub removes credentials from text: the ones given, and what looks like one.
func scrub(text string, secrets []string) string {
	for _, s := range secrets {
		if s == "" {
			continue
		}
		text = strings.ReplaceAll(text, s, "***")
		text = strings.ReplaceAll(text, url.QueryEscape(s), "***")
	}
	return tokenLike.ReplaceAllString(text, "$2***")
}
