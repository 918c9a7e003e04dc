package githubsim

// Making bare repositories cheaply: an empty one is written file by file, one
// that is imported from another repository shares its objects by hard links.
// What cannot be taken over so (a bundle, objects borrowed from elsewhere) is
// fetched.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// create makes a bare repository, empty or with the branches and tags of
// another one or of a bundle. It returns its refs and default branch.
func (g gitEnv) create(ctx context.Context, id int64, from, branch string) (*store, map[string]string, string, error) {
	st := &store{git: g, path: filepath.Join(g.dir, strconv.FormatInt(id, 10)+".git")}
	refs := map[string]string{}
	if from != "" {
		source, err := filepath.Abs(from)
		if err != nil {
			return nil, nil, "", fmt.Errorf("finding the repository to import: %w", err)
		}
		if refs, branch, err = st.adopt(ctx, source, branch); err != nil {
			return nil, nil, "", err
		}
	} else if err := st.writeEmpty("main"); err != nil {
		return nil, nil, "", err
	}
	if branch == "" {
		branch = "main"
	}
	if branch != "main" {
		if _, err := g.run(ctx, g.dir, gitInput{}, "check-ref-format", "refs/heads/"+branch); err != nil {
			return nil, nil, "", err
		}
	}
	return st, refs, branch, st.write("HEAD", "ref: refs/heads/"+branch+"\n")
}

func (st *store) write(name, text string) error {
	if err := os.WriteFile(filepath.Join(st.path, name), []byte(text), 0o600); err != nil {
		return fmt.Errorf("making the repository: %w", err)
	}
	return nil
}

// writeEmpty writes what makes a folder a repository (gitrepository-layout).
func (st *store) writeEmpty(branch string) error {
	for _, name := range []string{"objects/pack", "objects/info", "refs/heads", "refs/tags"} {
		if err := os.MkdirAll(filepath.Join(st.path, name), 0o750); err != nil {
			return fmt.Errorf("making the repository: %w", err)
		}
	}
	return errors.Join(st.write("config", repositoryConfig), st.write("HEAD", "ref: refs/heads/"+branch+"\n"))
}

// adopt takes over the branches and tags of another repository or a bundle.
func (st *store) adopt(ctx context.Context, source, branch string) (map[string]string, string, error) {
	if err := st.writeEmpty("main"); err != nil {
		return nil, "", err
	}
	if folder := gitFolder(source); folder != "" {
		refs, head, err := st.share(ctx, folder)
		if err != nil || refs != nil {
			if branch == "" {
				branch = head
			}
			return refs, branch, err
		}
	}
	_, err := st.run(ctx, gitInput{}, "fetch", "--quiet", "--no-write-fetch-head", source,
		"+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
	if err != nil {
		return nil, "", err
	}
	if branch == "" {
		branch = st.git.headOf(ctx, source)
	}
	refs, err := st.listRefs(ctx)
	return refs, branch, err
}

// gitFolder is the folder of a repository that has all its objects itself, in
// the files format; "" for everything else.
func gitFolder(source string) string {
	for _, folder := range []string{filepath.Join(source, ".git"), source} {
		head, err := os.ReadFile(filepath.Join(folder, "HEAD"))
		if err != nil || !strings.HasPrefix(string(head), "ref: refs/heads/") {
			continue
		}
		for _, name := range []string{"objects/info/alternates", "shallow", "reftable", "commondir"} {
			if _, err := os.Stat(filepath.Join(folder, name)); !errors.Is(err, fs.ErrNotExist) {
				return ""
			}
		}
		if promisors, err := filepath.Glob(filepath.Join(folder, "objects/pack/*.promisor")); err != nil || len(promisors) > 0 {
			return ""
		}
		return folder
	}
	return ""
}

// share links the objects of a repository and writes its refs down. Objects
// never change, so both may have them.
func (st *store) share(ctx context.Context, folder string) (map[string]string, string, error) {
	out, err := st.git.run(ctx, folder, gitInput{}, "--git-dir="+folder, "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags")
	if err != nil {
		return nil, "", err
	}
	refs := map[string]string{}
	for line := range strings.SplitSeq(string(out), "\n") {
		if id, name, found := strings.Cut(line, " "); found {
			refs[name] = id
		}
	}
	head, err := os.ReadFile(filepath.Join(folder, "HEAD"))
	if err != nil {
		return nil, "", fmt.Errorf("reading the repository to import: %w", err)
	}
	objects := filepath.Join(folder, "objects")
	err = filepath.WalkDir(objects, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(objects, path)
		if err != nil {
			return err
		}
		target := filepath.Join(st.path, "objects", inside)
		switch {
		case d.IsDir():
			return os.MkdirAll(target, 0o750)
		case strings.HasPrefix(d.Name(), "tmp_") || strings.HasSuffix(d.Name(), ".lock"):
			return nil
		case os.Link(path, target) == nil:
			return nil
		}
		return copyFile(path, target)
	})
	if err != nil {
		return nil, "", fmt.Errorf("importing the objects of %s: %w", folder, err)
	}
	var packed strings.Builder
	packed.WriteString("# pack-refs with: sorted \n")
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		fmt.Fprintf(&packed, "%s %s\n", refs[name], name)
	}
	branch := strings.TrimSpace(strings.TrimPrefix(string(head), "ref: refs/heads/"))
	return refs, branch, st.write("packed-refs", packed.String())
}

// copyFile is for where links cannot be made, as across file systems.
func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o444)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}
