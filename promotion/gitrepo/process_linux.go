package gitrepo

// git processes on Linux: each leads a group, so that an interrupt at the
// terminal lets a push end, and all its helpers are ended with it; and it dies
// with promobot, so that a lock file found at the next start is nobody's.

import (
	"os/exec"
	"syscall"
)

func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
}

// endGroup ends what is left of a process's group after the process was ended:
// helpers that did not listen, and would go on writing to the mirror.
func endGroup(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // mostly there is none
	}
}
