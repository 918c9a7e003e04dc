package githubsim

// What the server knows. Everything here is guarded by Server.mu. Objects are
// shared by pointer inside the model and rendered to fresh maps for answers.

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Role is what a user may do in a repository, in rising order
// (Repository roles for an organization).
type Role int

// The roles.
const (
	RoleNone Role = iota
	RoleRead
	RoleTriage
	RoleWrite
	RoleMaintain
	RoleAdmin
)

var roleNames = []string{"none", "read", "triage", "write", "maintain", "admin"}

// String is the role's name as GitHub writes it.
func (r Role) String() string { return roleNames[r] }

// ParseRole reads a role's name.
func ParseRole(name string) (Role, error) {
	if i := slices.Index(roleNames, name); i >= 0 {
		return Role(i), nil
	}
	return RoleNone, fmt.Errorf("no role %q; one of %s", name, strings.Join(roleNames, ", "))
}

// The kinds of account.
const (
	kindUser         = "User"
	kindBot          = "Bot"
	kindOrganization = "Organization"
)

// user is an account: a person, an organization, or an App's bot.
type user struct {
	id        int64
	login     string
	name      string
	email     string
	kind      string
	createdAt time.Time
	members   map[string]Role // of an organization: lower-case login → RoleRead (member) or RoleAdmin (owner)
}

// app is a GitHub App.
type app struct {
	App
	bot         *user
	owner       *user
	description string
	hookID      int64
	createdAt   time.Time
	permissions map[string]string // name → read, write, admin
	events      []string
	private     bool // may be installed on its owner's account only
}

// installation is an App on an account.
type installation struct {
	id          int64
	app         *app
	account     *user
	all         bool               // all repositories of the account
	selected    map[int64]struct{} // else these, by id
	permissions map[string]string
	events      []string
	createdAt   time.Time
	updatedAt   time.Time
	suspendedAt time.Time // zero: not suspended
	suspendedBy *user
}

// covers tells whether the installation includes the repository.
func (i *installation) covers(r *repository) bool {
	if r.owner != i.account {
		return false
	}
	_, chosen := i.selected[r.id]
	return i.all || chosen
}

// token is an installation token or a user's token.
type token struct {
	secret       string
	user         *user         // of a user's token
	app          *app          // of a user's token that an App got by signing in
	installation *installation // of an installation token
	permissions  map[string]string
	repositories map[int64]struct{} // nil: all of the installation
	expiresAt    time.Time          // zero: never
	revoked      bool
}

// repository is one repository; its objects are in store.
type repository struct {
	id            int64
	owner         *user
	name          string
	description   string
	private       bool
	archived      bool
	defaultBranch string
	createdAt     time.Time
	updatedAt     time.Time
	pushedAt      time.Time

	allowMerge, allowSquash, allowRebase bool
	allowAutoMerge                       bool
	deleteBranchOnMerge                  bool
	allowUpdateBranch                    bool

	roles map[string]Role // lower-case login → role
	store *store
	refs  map[string]string // full name → object id; what the bare repository has

	// gitMu serialises writers of refs: git pushes, merges, ref updates by
	// API. Locked before Server.mu, never while holding it.
	gitMu sync.Mutex

	protections map[string]*protection // branch → its protection
	rulesets    []*protection
	autos       map[int]*pull          // with auto-merge on, by number
	queues      map[string]*mergeQueue // by branch
	// baseModified is how many merges are yet to fail by ForceBaseModified.
	baseModified int
	issues       map[int]*issue // issues and pull requests share numbers
	lastNumber   int
	labels       map[string]*label // lower-case name → label
	deleted      bool

	activity repositoryActivity
}

func (r *repository) fullName() string { return r.owner.login + "/" + r.name }

// label of a repository.
type label struct {
	id          int64
	name        string
	color       string
	description string
	standard    bool // one of those that GitHub makes
}

// issue is what issues and pull requests have in common; pull is nil for a
// plain issue.
type issue struct {
	id        int64
	number    int
	repo      *repository
	author    *user
	title     string
	body      string
	closed    bool
	locked    bool
	labels    []*label
	assignees []*user
	comments  int // how many comments there are
	createdAt time.Time
	updatedAt time.Time
	closedAt  time.Time
	closedBy  *user
	pull      *pull

	activity issueActivity
}

// model is all accounts, Apps and repositories.
type model struct {
	counters      map[string]int64
	requests      int64
	users         map[string]*user // lower-case login
	webFlow       *user            // commits what GitHub makes itself
	queueBot      *user            // merges what stands in merge queues
	apps          map[int64]*app
	installations map[int64]*installation
	tokens        map[string]*token
	repositories  map[int64]*repository
	stores        []*store               // of all repositories, deleted ones too
	byName        map[string]*repository // lower-case owner/name, with old names of renamed ones
}

func (m *model) init() {
	m.counters = map[string]int64{}
	m.users = map[string]*user{}
	m.apps = map[int64]*app{}
	m.installations = map[int64]*installation{}
	m.tokens = map[string]*token{}
	m.repositories = map[int64]*repository{}
	m.byName = map[string]*repository{}
}

// next is the next id of a kind ("user", "pull", "comment", …). Kinds start
// apart, so that an id of one kind taken for another is not found.
func (m *model) next(kind string) int64 {
	if _, known := m.counters[kind]; !known {
		m.counters[kind] = int64(len(m.counters)+1) * 1_000_000
	}
	m.counters[kind]++
	return m.counters[kind]
}

// user finds an account by login, in any case; nil if there is none.
func (m *model) user(login string) *user { return m.users[strings.ToLower(login)] }

// repository finds a repository by its name or a former one; nil if none.
func (m *model) repository(owner, name string) *repository {
	return m.byName[strings.ToLower(owner+"/"+name)]
}

// pathOfID turns /repositories/{id}/… into /repos/{owner}/{repo}/…, the way
// GitHub's redirects of renamed repositories go.
func (m *model) pathOfID(path string) string {
	rest, found := strings.CutPrefix(path, "/repositories/")
	if !found {
		return path
	}
	id, tail, _ := strings.Cut(rest, "/")
	for _, r := range m.repositories {
		if fmt.Sprint(r.id) == id {
			return strings.TrimSuffix("/repos/"+r.fullName()+"/"+tail, "/")
		}
	}
	return path
}

// sortedInstallations are the installations in the order of their ids.
func (m *model) sortedInstallations() []*installation {
	return slices.SortedFunc(maps.Values(m.installations), func(a, b *installation) int {
		return int(a.id - b.id)
	})
}

// sortedRepositories are the repositories in the order of their ids.
func (m *model) sortedRepositories() []*repository {
	return slices.SortedFunc(maps.Values(m.repositories), func(a, b *repository) int {
		return int(a.id - b.id)
	})
}

// roleOf is the user's role in the repository: that set by SetRole, admin for
// the owner and an organization's owners, read for members.
func (r *repository) roleOf(u *user) Role {
	if u == nil {
		return RoleNone
	}
	if u == r.owner {
		return RoleAdmin
	}
	role := r.roles[strings.ToLower(u.login)]
	if member, is := r.owner.members[strings.ToLower(u.login)]; is {
		role = max(role, member)
	}
	return role
}

// visible is a user's role with what the public may do.
func (r *repository) visible(u *user) Role {
	role := r.roleOf(u)
	if !r.private {
		role = max(role, RoleRead)
	}
	return role
}

// userByEmail finds who an e-mail address belongs to, the noreply addresses of
// GitHub included; nil if nobody.
func (m *model) userByEmail(email string) *user {
	if local, is := strings.CutSuffix(email, "@users.noreply.github.com"); is {
		if _, login, found := strings.Cut(local, "+"); found {
			local = login
		}
		return m.user(local)
	}
	for _, u := range m.users {
		if strings.EqualFold(u.email, email) {
			return u
		}
	}
	return nil
}
