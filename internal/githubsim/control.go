package githubsim

// The control API: what tests and the demo do to GitHub as if through its web
// pages. Methods name repositories as owner/name and people by login.

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// CreateUser makes a person's account.
func (s *Server) CreateUser(login string) error {
	return s.createAccount(login, kindUser, nil)
}

// CreateOrganization makes an organization whose owners and members are users
// that exist.
func (s *Server) CreateOrganization(login string, owners, members []string) error {
	belong := map[string]Role{}
	for _, m := range members {
		belong[strings.ToLower(m)] = RoleRead
	}
	for _, o := range owners {
		belong[strings.ToLower(o)] = RoleAdmin
	}
	return s.createAccount(login, kindOrganization, belong)
}

func (s *Server) createAccount(login, kind string, members map[string]Role) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.user(login) != nil {
		return fmt.Errorf("the account %q exists already", login)
	}
	s.newUser(login, kind).members = members
	return nil
}

func (s *Server) newUser(login, kind string) *user {
	u := &user{id: s.next("user"), login: login, kind: kind, createdAt: s.now()}
	u.name = login
	u.email = fmt.Sprintf("%d+%s@users.noreply.github.com", u.id, login)
	s.users[strings.ToLower(login)] = u
	return u
}

// UserToken makes a personal access token of a user, with all scopes.
func (s *Server) UserToken(login string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.user(login)
	if u == nil {
		return "", fmt.Errorf("no user %q", login)
	}
	t := &token{secret: s.secret("ghp_"), user: u}
	s.tokens[t.secret] = t
	return t.secret, nil
}

// RepoOptions describe a new repository.
type RepoOptions struct {
	Private     bool
	Description string
	// From is a bare repository or a bundle to import branches and tags from.
	From string
	// DefaultBranch is main, or that of From, when empty.
	DefaultBranch       string
	DeleteBranchOnMerge bool
	// The merge methods that are allowed. All, when none is set.
	AllowMerge, AllowSquash, AllowRebase bool
}

// CreateRepository makes a repository of an account that exists. Apps
// installed on all of the account's repositories see it at once.
func (s *Server) CreateRepository(ctx context.Context, owner, name string, o RepoOptions) error {
	s.mu.Lock()
	account := s.user(owner)
	if account == nil {
		s.mu.Unlock()
		return fmt.Errorf("no account %q", owner)
	}
	if s.repository(owner, name) != nil {
		s.mu.Unlock()
		return fmt.Errorf("the repository %s/%s exists already", owner, name)
	}
	id := s.next("repository")
	s.mu.Unlock()

	st, refs, branch, err := s.git.create(ctx, id, o.From, o.DefaultBranch)
	if err != nil {
		return fmt.Errorf("making the repository %s/%s: %w", owner, name, err)
	}
	if !o.AllowMerge && !o.AllowSquash && !o.AllowRebase {
		o.AllowMerge, o.AllowSquash, o.AllowRebase = true, true, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	r := &repository{
		id: id, owner: account, name: name, description: o.Description, private: o.Private,
		defaultBranch: branch, createdAt: now, updatedAt: now, pushedAt: now,
		allowMerge: o.AllowMerge, allowSquash: o.AllowSquash, allowRebase: o.AllowRebase,
		deleteBranchOnMerge: o.DeleteBranchOnMerge,
		roles:               map[string]Role{}, store: st, refs: refs, protections: map[string]*protection{},
		issues: map[int]*issue{}, labels: map[string]*label{},
	}
	s.repositories[r.id] = r
	s.stores = append(s.stores, st)
	s.byName[strings.ToLower(r.fullName())] = r
	s.emit(r, "repository", "created", account, obj{})
	for _, inst := range s.sortedInstallations() {
		if inst.all && inst.account == account {
			s.emitInstallationRepositories(inst, "added", []*repository{r}, account)
		}
	}
	return nil
}

// lookup finds a repository by owner/name, with Server.mu held.
func (s *Server) lookup(repo string) (*repository, error) {
	owner, name, _ := strings.Cut(repo, "/")
	r := s.repository(owner, name)
	if r == nil || r.deleted {
		return nil, fmt.Errorf("no repository %q", repo)
	}
	return r, nil
}

// SetRole gives a user a role in a repository; "none" takes it away.
func (s *Server) SetRole(repo, login, role string) error {
	level, err := ParseRole(role)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.lookup(repo)
	if err != nil {
		return err
	}
	if s.user(login) == nil {
		return fmt.Errorf("no user %q", login)
	}
	r.roles[strings.ToLower(login)] = level
	delete(r.activity.customRoles, strings.ToLower(login))
	return nil
}

// RenameRepository gives a repository a new name; the old one redirects.
func (s *Server) RenameRepository(repo, name string) error {
	return s.changeRepository(repo, "renamed", func(r *repository) (obj, error) {
		old := r.name
		if s.repository(r.owner.login, name) != nil {
			return nil, fmt.Errorf("the repository %s/%s exists already", r.owner.login, name)
		}
		r.name = name
		s.byName[strings.ToLower(r.fullName())] = r
		return obj{"changes": obj{"repository": obj{"name": obj{"from": old}}}}, nil
	})
}

// ArchiveRepository makes a repository read-only.
func (s *Server) ArchiveRepository(repo string) error {
	return s.changeRepository(repo, "archived", func(r *repository) (obj, error) {
		r.archived = true
		return obj{}, nil
	})
}

// DeleteRepository removes a repository for everyone.
func (s *Server) DeleteRepository(repo string) error {
	return s.changeRepository(repo, "deleted", func(r *repository) (obj, error) {
		r.deleted = true
		maps.DeleteFunc(s.byName, func(_ string, other *repository) bool { return other == r })
		delete(s.repositories, r.id)
		for _, inst := range s.sortedInstallations() {
			if inst.covers(r) {
				s.emitInstallationRepositories(inst, "removed", []*repository{r}, r.owner)
			}
		}
		return obj{}, nil
	})
}

func (s *Server) changeRepository(repo, action string, change func(*repository) (obj, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.lookup(repo)
	if err != nil {
		return err
	}
	extra, err := change(r)
	if err != nil {
		return err
	}
	r.updatedAt = s.now()
	s.emit(r, "repository", action, r.owner, extra)
	return nil
}

// Install puts an App on an account, on the repositories named (without the
// owner) or, with none, on all. It returns the installation's id.
func (s *Server) Install(appID int64, account string, repositories ...string) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, u := s.apps[appID], s.user(account)
	if a == nil || u == nil {
		return 0, fmt.Errorf("no App %d or no account %q", appID, account)
	}
	for _, other := range s.installations {
		if other.app == a && other.account == u {
			return 0, fmt.Errorf("the App %s is installed on %s already", a.Slug, account)
		}
	}
	inst := &installation{
		id: s.next("installation"), app: a, account: u, all: len(repositories) == 0,
		selected: map[int64]struct{}{}, permissions: maps.Clone(a.permissions), events: slices.Clone(a.events),
		createdAt: s.now(), updatedAt: s.now(),
	}
	for _, name := range repositories {
		r, err := s.lookup(account + "/" + name)
		if err != nil {
			return 0, err
		}
		inst.selected[r.id] = struct{}{}
	}
	s.installations[inst.id] = inst
	s.emitInstallation(inst, "created")
	return inst.id, nil
}

// InstallationRepositories changes which repositories a selective
// installation includes; names are without the owner.
func (s *Server) InstallationRepositories(id int64, add, remove []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	inst := s.installations[id]
	if inst == nil {
		return fmt.Errorf("no installation %d", id)
	}
	if inst.all {
		return fmt.Errorf("installation %d includes all repositories; install the App on chosen ones", id)
	}
	change := func(names []string, action string, do func(*repository)) error {
		var changed []*repository
		for _, name := range names {
			r, err := s.lookup(inst.account.login + "/" + name)
			if err != nil {
				return err
			}
			do(r)
			changed = append(changed, r)
		}
		if len(changed) > 0 {
			inst.updatedAt = s.now()
			s.emitInstallationRepositories(inst, action, changed, inst.account)
		}
		return nil
	}
	if err := change(add, "added", func(r *repository) { inst.selected[r.id] = struct{}{} }); err != nil {
		return err
	}
	return change(remove, "removed", func(r *repository) { delete(inst.selected, r.id) })
}

// Uninstall removes an installation; its tokens end.
func (s *Server) Uninstall(id int64) error {
	return s.changeInstallation(id, "deleted", func(inst *installation) { delete(s.installations, inst.id) })
}

// Suspend stops an installation: no tokens, no webhooks.
func (s *Server) Suspend(id int64) error {
	return s.changeInstallation(id, "suspend", func(inst *installation) {
		inst.suspendedAt, inst.suspendedBy = s.now(), inst.account
	})
}

// Unsuspend lifts Suspend.
func (s *Server) Unsuspend(id int64) error {
	return s.changeInstallation(id, "unsuspend", func(inst *installation) {
		inst.suspendedAt, inst.suspendedBy = time.Time{}, nil
	})
}

func (s *Server) changeInstallation(id int64, action string, change func(*installation)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	inst := s.installations[id]
	if inst == nil {
		return fmt.Errorf("no installation %d", id)
	}
	change(inst)
	inst.updatedAt = s.now()
	s.emitInstallation(inst, action)
	return nil
}
