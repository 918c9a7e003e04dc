// Package gitrepo is every git read and write of promobot, by the git program
// (2.39 or newer) on one bare mirror without blobs per repository.
//
// Its rules:
//
//   - Three kinds of git processes. Local ones may use no network protocol and
//     see no remote, so that no read can start a fetch of its own. Fetches see
//     the remote as a promisor, and get what they ask for and nothing else.
//     Pushes see the remote without a promisor, so that a push can only send
//     what is here.
//   - There is no work tree and no index, and no ref of a mirror is written but
//     by the fetch, under the mirror's lock. Everything else runs beside it.
//   - A mirror is a cache: whatever is wrong with it, it is set aside and
//     cloned anew. Deleting it at any moment loses nothing.
//   - Names from repositories are hostile: they reach git through standard
//     input or inside objects, never as a pathspec or a revision expression.
//   - A token reaches git through its environment, and nothing else of it
//     reaches an argument, a URL, a file, a log line or an error.
package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/time/rate"
)

// Options say where mirrors are kept and how git is run.
type Options struct {
	// Dir is the folder of the mirrors. It belongs to one process at a time.
	Dir string
	// Git is the git program: a path, or a name looked up in PATH. Default: git.
	Git string
	// Processes is how many git processes may run at the same time. With at least
	// 4 of them, neither clones nor fetches keep a push or a read waiting.
	// Default: 8.
	Processes int
	// Timeout bounds one git process, CloneTimeout the one that clones.
	// Defaults: 5 minutes, 30 minutes.
	Timeout, CloneTimeout time.Duration
	// MaxBlob is the size in bytes above which a file is not read. Default: 5 MB.
	MaxBlob int64
	// MaxDisk is how many bytes the mirrors may take on disk. When they take more,
	// those that were not used for longest are removed, and cloned anew when they
	// are needed; one in use never is. 0 sets no bound.
	MaxDisk int64
	// MinIdle is how long a mirror must not have been used before it may be
	// removed for MaxDisk. Default: 10 minutes.
	MinIdle time.Duration
	// PushesPerMinute paces the pushes to one repository: so many at once, then
	// so many a minute. 0 does not pace. GitHub advises 6 ("Repository limits").
	PushesPerMinute int
	// Logger gets what an operator may want to know of mirrors.
	Logger zerolog.Logger
	// Observer, when set, is told of every use of the network: kind is clone,
	// fetch, blobs, push or look (listing the remote's refs after a doubtful push).
	Observer func(kind string, d time.Duration, err error)
	// Evicted, when set, is called for each mirror that was removed for MaxDisk.
	Evicted func()
}

// Remote is where a repository is fetched from and pushed to.
type Remote struct {
	// Key names the mirror's folder: the repository's id, which outlives a rename.
	Key string
	// URL is http or https, without credentials.
	URL string
	// Token returns a valid installation token: any, or another than the one that
	// the remote just refused. A nil Token asks without any.
	Token func(ctx context.Context, refused string) (string, error)
}

// Store keeps the mirrors of one process. It is safe for concurrent use.
type Store struct {
	opts    Options
	run     *runner
	release func() error

	mu      sync.Mutex
	mirrors map[string]*mirror // by folder name
	closed  atomic.Bool
	tending sync.WaitGroup

	room sync.Mutex // held while mirrors are removed for others
}

// Repository is one repository's git, safe for concurrent use. Repositories
// opened with the same key share mirror, lock and caches.
type Repository struct {
	*mirror
	store  *Store
	run    *runner
	opts   *Options
	remote Remote
	// local is true for a repository of the user's that is only read.
	local bool
}

const (
	defaultProcesses    = 8
	defaultTimeout      = 5 * time.Minute
	defaultCloneTimeout = 30 * time.Minute
	defaultMaxBlob      = 5 << 20
	defaultMinIdle      = 10 * time.Minute
)

func (o Options) withDefaults() Options {
	if o.Git == "" {
		o.Git = "git"
	}
	if o.Processes <= 0 {
		o.Processes = defaultProcesses
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.CloneTimeout <= 0 {
		o.CloneTimeout = defaultCloneTimeout
	}
	if o.MaxBlob <= 0 {
		o.MaxBlob = defaultMaxBlob
	}
	if o.MinIdle <= 0 {
		o.MinIdle = defaultMinIdle
	}
	return o
}

// New opens the folder of mirrors, creating it if needed. It fails when git is
// missing or too old, and when another process holds the folder. Half clones of
// dead processes are removed; a mirror's first Fetch removes their lock files
// and temporary packs.
func New(o Options) (*Store, error) {
	if o.Dir == "" {
		return nil, errors.New("no folder for the git mirrors was named")
	}
	o = o.withDefaults()
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("the folder of the git mirrors: %w", err)
	}
	o.Dir = dir
	git, err := findGit(o.Git)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the folder of the git mirrors: %w", err)
	}
	release, err := holdFolder(filepath.Join(dir, "in-use.lock"))
	if err != nil {
		return nil, fmt.Errorf("the folder of the git mirrors %s: %w", dir, err)
	}
	if err := removeUnfinished(dir, o.Logger); err != nil {
		return nil, errors.Join(fmt.Errorf("tidying the folder of the git mirrors: %w", err), release())
	}
	s := &Store{
		opts:    o,
		run:     newRunner(git, dir, o.Processes),
		release: release,
		mirrors: map[string]*mirror{},
	}
	if err := s.findMirrors(); err != nil {
		return nil, errors.Join(fmt.Errorf("the folder of the git mirrors: %w", err), release())
	}
	return s, nil
}

// Close ends maintenance and gives the folder of mirrors up for another process,
// once.
// No method of the store's repositories may be running or be called afterwards.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed.Swap(true) {
		s.mu.Unlock()
		return nil
	}
	for _, m := range s.mirrors {
		m.interrupt()
	}
	s.mu.Unlock()
	s.tending.Wait()
	return s.release()
}

// Open names a repository; nothing is read before its first Fetch.
func (s *Store) Open(remote Remote) *Repository {
	s.mu.Lock()
	defer s.mu.Unlock()
	folder := folderName(remote.Key)
	m := s.mirrors[folder]
	if m == nil {
		m = s.newMirror(folder)
	}
	m.mu.Lock()
	m.unwanted = false
	m.mu.Unlock()
	return &Repository{mirror: m, store: s, run: s.run, opts: &s.opts, remote: remote}
}

// newMirror registers a mirror's folder, which need not be there. The caller
// holds mu, or is alone.
func (s *Store) newMirror(folder string) *mirror {
	m := newMirror(filepath.Join(s.opts.Dir, folder))
	if n := s.opts.PushesPerMinute; n > 0 {
		m.pace = rate.NewLimiter(rate.Every(time.Minute/time.Duration(n)), n)
	}
	s.mirrors[folder] = m
	return m
}

// OpenLocal opens a repository on this machine, bare or with a work tree, for
// reading alone: its methods use no network and write nothing, Fetch returns
// its own branches, Commit and Push fail with ErrReadOnly.
func OpenLocal(path string) (*Repository, error) {
	o := Options{}.withDefaults()
	git, err := findGit(o.Git)
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	run := newRunner(git, os.TempDir(), o.Processes)
	// Without GIT_DIR git looks for the repository itself, and refuses one that
	// belongs to another user.
	dir, err := run.text(context.Background(), command{
		name: "rev-parse", args: []string{"rev-parse", "--absolute-git-dir"}, workDir: abs,
		timeout: o.Timeout,
	})
	if err != nil {
		return nil, fmt.Errorf("%s is not a git repository that can be read: %w", path, err)
	}
	return &Repository{mirror: newMirror(strings.TrimSuffix(dir, "\n")), run: run, opts: &o, local: true}, nil
}

// folderName makes one safe folder name of a key; distinct keys stay distinct.
func folderName(key string) string {
	var b strings.Builder
	for _, c := range []byte(key) {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c == '-':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "_%02x", c)
		}
	}
	return b.String() + mirrorSuffix
}

// The oldest git whose behaviour the rules above were tried with.
const minMajor, minMinor = 2, 39

var gitVersion = regexp.MustCompile(`git version (\d+)\.(\d+)`)

func findGit(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("promobot needs the git program, %d.%d or newer, and %q cannot be run: install git or name its path in the configuration: %w", minMajor, minMinor, name, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "version").Output()
	if err != nil {
		return "", fmt.Errorf("asking %s for its version: %w", path, err)
	}
	m := gitVersion.FindStringSubmatch(string(out))
	if m == nil {
		return "", fmt.Errorf("%s is not git: it answered %q when asked for its version", path, clip(string(out), 100))
	}
	major, majorErr := strconv.Atoi(m[1])
	minor, minorErr := strconv.Atoi(m[2])
	if majorErr != nil || minorErr != nil || major < minMajor || major == minMajor && minor < minMinor {
		return "", fmt.Errorf("promobot needs git %d.%d or newer, and %s is %s.%s: upgrade it, or name another git in the configuration", minMajor, minMinor, path, m[1], m[2])
	}
	return path, nil
}
