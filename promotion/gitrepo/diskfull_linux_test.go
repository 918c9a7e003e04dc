package gitrepo_test

// The same on a real file system that is full.

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/promobot/promobot/promotion/gitrepo"
)

func TestDiskFullForReal(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("promobot-test", disk, "tmpfs", 0, "size=4m,nr_inodes=4000"); err != nil {
		t.Skipf("a small file system cannot be mounted here (%v): the way by file sizes is tested all the same", err)
	}
	// Runs last: the store that is on it is closed before.
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	})
	sc := newScene(t, func(o *gitrepo.Options) { o.Dir = filepath.Join(disk, "mirrors") })
	sc.dir = filepath.Join(disk, "mirrors")
	filler := filepath.Join(disk, "filler")
	fullDiskStory(t, sc, func(yes bool) {
		remove(t, filler)
		if yes {
			fillUp(t, filler)
		}
	})
}

// fillUp writes a file until the disk has only a few blocks left.
func fillUp(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range []int{1 << 16, 4096} {
		for err == nil {
			_, err = f.Write(make([]byte, block))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		err = nil
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(info.Size() - 10*4096); err != nil { // git can begin
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
