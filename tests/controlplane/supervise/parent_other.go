//go:build !linux

package supervise

import "syscall"

// dieWithParent has no counterpart here: components outlive a supervisor that is killed with SIGKILL.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
