package supervise

import "syscall"

// dieWithParent makes a component die when the supervisor dies in any way, and keeps the terminal's Ctrl-C from it, so
// that the supervisor decides when it ends.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
