package supervise

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

var errPortTaken = errors.New("a port was taken by another process")

// endedError says that a component ended by itself.
type endedError struct {
	name string
	log  string // its end: the file may be gone when the error is shown
	err  error
}

func (e *endedError) Error() string {
	return fmt.Sprintf("%s ended (%v); the end of its log:\n%s", e.name, e.err, e.log)
}

// processes are the components that run, in the order in which they were started.
type processes struct {
	settings options
	running  []*exec.Cmd
	names    []string
	done     []chan struct{}
	ended    chan error // the first component that ended without being told to
}

func newProcesses(settings options) *processes {
	return &processes{settings: settings, ended: make(chan error, 1)}
}

func (p *processes) binary(name string) string { return filepath.Join(p.settings.binaries, name) }

func (p *processes) has(name string) bool {
	_, err := os.Stat(p.binary(name))
	return err == nil
}

// start runs a component in the directory, its output in a log file of its name. Only the main goroutine may call it.
func (p *processes) start(name string, arguments ...string) error {
	log := filepath.Join(p.settings.directory, name+".log")
	output, err := os.Create(log)
	if err != nil {
		return err
	}
	defer output.Close()
	command := exec.Command(p.binary(name), arguments...)
	command.Dir, command.Stdout, command.Stderr = p.settings.directory, output, output
	command.SysProcAttr = dieWithParent()
	if err := command.Start(); err != nil {
		return fmt.Errorf("%s cannot be started: %w", name, err)
	}
	done := make(chan struct{})
	p.running, p.names, p.done = append(p.running, command), append(p.names, name), append(p.done, done)
	go func() {
		err := command.Wait()
		close(done)
		select {
		case p.ended <- &endedError{name: name, log: tail(log, 20), err: err}:
		default:
		}
	}()
	return nil
}

// explain turns a component's complaint about its port into errPortTaken.
func (p *processes) explain(err error) error {
	var ended *endedError
	if errors.As(err, &ended) && strings.Contains(ended.log, "address already in use") {
		return fmt.Errorf("%s: %w", ended.name, errPortTaken)
	}
	return err
}

// stop kills: the data is thrown away, so a graceful end would only take time.
func (p *processes) stop() {
	for i := len(p.running) - 1; i >= 0; i-- {
		_ = p.running[i].Process.Kill()
	}
	for _, done := range p.done {
		<-done
	}
}

func (p *processes) ids() map[string]int {
	ids := make(map[string]int, len(p.running))
	for i, command := range p.running {
		ids[p.names[i]] = command.Process.Pid
	}
	return ids
}
