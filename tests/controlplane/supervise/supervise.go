// Package supervise starts a control plane in a directory, anew and empty, waits until it is ready, and stays until it
// is told to stop. It knows processes, ports, credentials and the components' command lines; what runs in the cluster is
// not its concern.
//
// It ends when its standard input reaches its end, so whoever holds the other end of the pipe cannot leave a control
// plane behind, however it dies; the components carry a parent-death signal, so the supervisor cannot either.
package supervise

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// Another process may take a port between our choosing it and a component's listening on it.
const attempts = 3

// A start takes four seconds on an idle machine with two cores; this is for a loaded one.
const readyTimeout = 3 * time.Minute

// The file that marks a directory as one that a supervisor may empty.
const marker = ".controlplane"

func init() {
	// A parent-death signal is bound to the thread that forked. The main goroutine stays on the main thread, which lives
	// as long as the process, and it alone starts components.
	runtime.LockOSThread()
}

type options struct {
	directory string
	binaries  string
	audit     bool
	nodes     int
	keep      bool
}

// Report is what the supervisor prints, as one line, once the control plane is ready.
type Report struct {
	Kubeconfig string         `json:"kubeconfig"`
	Server     string         `json:"server"`
	Directory  string         `json:"directory"`
	AuditLog   string         `json:"auditLog,omitempty"`
	Supervisor int            `json:"supervisor"`
	Processes  map[string]int `json:"processes"`
	ReadyAfter float64        `json:"readyAfterSeconds"`
}

// Main runs the supervisor with the given arguments and returns the exit code of the process. It must be called from the
// main goroutine.
func Main(arguments []string) int {
	settings, err := parse(arguments)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return 2
	}
	if err := run(settings); err != nil {
		fmt.Fprintln(os.Stderr, "supervise:", err)
		return 1
	}
	return 0
}

func parse(arguments []string) (options, error) {
	flags := flag.NewFlagSet("supervise", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: supervise [OPTION...] DIRECTORY\n\n"+
			"Starts a Kubernetes control plane with its data, logs and kubeconfig in DIRECTORY, prints a line of JSON when it\n"+
			"is ready, and stops it at the end of standard input or at a signal.")
		flags.PrintDefaults()
	}
	var settings options
	flags.StringVar(&settings.binaries, "binaries", "", "folder of the components; those that are not in it are left out, except etcd and kube-apiserver (default: the supervisor's own folder)")
	flags.BoolVar(&settings.audit, "audit", false, "write an audit log of all requests except the control plane's own")
	flags.IntVar(&settings.nodes, "nodes", 1, "number of nodes")
	flags.BoolVar(&settings.keep, "keep", false, "keep DIRECTORY when stopped")
	if err := flags.Parse(arguments); err != nil {
		return settings, err
	}
	if flags.NArg() != 1 {
		flags.Usage()
		return settings, errors.New("one directory is needed")
	}
	settings.directory = flags.Arg(0)
	return settings, nil
}

func run(settings options) error {
	ctx, cancel := untilToldToStop()
	defer cancel()
	if err := settings.complete(); err != nil {
		return err
	}
	if err := empty(settings.directory); err != nil {
		return err
	}
	if !settings.keep {
		defer os.RemoveAll(settings.directory) // only now: it is ours
	}
	for attempt := 1; ; attempt++ {
		err := serve(ctx, settings)
		switch {
		case ctx.Err() != nil:
			return nil
		case attempt < attempts && errors.Is(err, errPortTaken):
			fmt.Fprintln(os.Stderr, "supervise:", err, "- trying again with other ports")
		default:
			return err
		}
	}
}

// serve runs one control plane until it is told to stop (no error), or until a component ends by itself.
func serve(ctx context.Context, settings options) error {
	started := time.Now()
	if err := empty(settings.directory); err != nil {
		return err
	}
	processes := newProcesses(settings)
	plane := &controlPlane{settings: settings, processes: processes}
	defer plane.stop()

	ready, cancel := context.WithTimeoutCause(ctx, readyTimeout, fmt.Errorf("not ready within %s", readyTimeout))
	defer cancel()
	if err := plane.start(ready); err != nil {
		return processes.explain(err)
	}
	report := Report{
		Kubeconfig: plane.kubeconfig(administrator), Server: plane.server, Directory: settings.directory,
		Supervisor: os.Getpid(), Processes: processes.ids(), ReadyAfter: time.Since(started).Seconds(),
	}
	if settings.audit {
		report.AuditLog = plane.path("audit.log")
	}
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		return fmt.Errorf("the report was not read: %w", err)
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-processes.ended:
		return processes.explain(err)
	}
}

// untilToldToStop is done at the end of standard input and at the signals that ask a process to end.
func untilToldToStop() (context.Context, context.CancelFunc) {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return ctx, cancel
}

func (settings *options) complete() error {
	directory, err := filepath.Abs(settings.directory)
	if err != nil {
		return err
	}
	settings.directory = directory
	if settings.binaries == "" {
		executable, err := os.Executable()
		if err != nil {
			return err
		}
		settings.binaries = filepath.Dir(executable)
	}
	return nil
}

// empty makes the directory, or removes what an earlier control plane left in it. A directory with anything else is
// refused.
func empty(directory string) error {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(directory)
	if err != nil {
		return err
	}
	marked := filepath.Join(directory, marker)
	if _, err := os.Stat(marked); len(entries) > 0 && err != nil {
		return fmt.Errorf("%s is not empty and no control plane was in it: name another directory", directory)
	}
	for _, entry := range entries {
		if err := os.RemoveAll(filepath.Join(directory, entry.Name())); err != nil {
			return err
		}
	}
	return os.WriteFile(marked, nil, 0o600)
}

// tail is the end of a log file, for an error message.
func tail(path string, lines int) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	all := bytes.Split(bytes.TrimSpace(content), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}
