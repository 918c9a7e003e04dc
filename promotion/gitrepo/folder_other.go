//go:build !unix

package gitrepo

// Where the system has no advisory locks the operator must keep a folder of
// mirrors to one process; git's own lock files still guard every ref.

func holdFolder(string) (release func() error, err error) {
	return func() error { return nil }, nil
}
