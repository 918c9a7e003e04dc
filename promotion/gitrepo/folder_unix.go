//go:build unix

package gitrepo

// One process at a time holds a folder of mirrors. The system gives the hold up
// when the process dies, however it dies.

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

func holdFolder(path string) (release func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errors.New("another promobot uses it: stop that one, or give each its own folder")
		}
		return nil, errors.Join(fmt.Errorf("holding it: %w", err), f.Close())
	}
	return func() error {
		// A git that is being started has the file open until it is executed:
		// closing it here alone would leave the hold to that.
		return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
	}, nil
}
