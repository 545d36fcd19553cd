package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/distribution/distribution/v3/configuration"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
	"github.com/sirupsen/logrus"
	"golang.org/x/crypto/bcrypt"
)

// registry serves an empty OCI registry from memory on a free port of the loopback interface, prints a line of JSON with its
// address, and ends at the end of its standard input.
func registry() int {
	flags := flag.NewFlagSet("registry", flag.ExitOnError)
	user := flags.String("user", "", "ask for basic authentication with NAME:PASSWORD")
	_ = flags.Parse(os.Args[1:])
	if err := serveRegistry(*user); err != nil {
		fmt.Fprintln(os.Stderr, "registry:", err)
		return 1
	}
	return 0
}

func serveRegistry(user string) error {
	logrus.SetLevel(logrus.FatalLevel) // an unknown blob, which every push asks for, is an error to it
	settings := &configuration.Configuration{
		Loglevel: "error",
		Storage:  configuration.Storage{"inmemory": nil, "delete": {"enabled": true}},
	}
	settings.Catalog.MaxEntries = 1000
	if user != "" {
		directory, err := os.MkdirTemp("", "registry-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(directory)
		path := filepath.Join(directory, "htpasswd")
		if err := writePasswords(path, user); err != nil {
			return err
		}
		settings.Auth = configuration.Auth{"htpasswd": {"realm": "test", "path": path}}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	report := map[string]any{"address": listener.Addr().String(), "process": os.Getpid()}
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = listener.Close()
	}()
	err = http.Serve(listener, handlers.NewApp(context.Background(), settings))
	if strings.Contains(err.Error(), net.ErrClosed.Error()) {
		return nil
	}
	return err
}

func writePasswords(path, user string) error {
	name, password, found := strings.Cut(user, ":")
	if !found {
		return fmt.Errorf("-user %q is not NAME:PASSWORD", user)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(name+":"+string(hash)+"\n"), 0o600)
}
