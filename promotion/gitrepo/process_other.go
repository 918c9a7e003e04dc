//go:build !linux

package gitrepo

// git processes elsewhere than on Linux: ended gently where the system can.

import (
	"os"
	"os/exec"
	"runtime"
)

func ownGroup(cmd *exec.Cmd) {
	if runtime.GOOS == "windows" {
		return
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
}

// endGroup has nothing to go by here.
func endGroup(*exec.Cmd) {}
