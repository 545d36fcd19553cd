package main

import (
	"errors"
	"log/slog"
	"os"

	helmcmd "helm.sh/helm/v4/pkg/cmd"
)

// helm is Helm as its own main package assembles it: the oracle of the tests.
func helm() int {
	command, err := helmcmd.NewRootCmd(os.Stdout, os.Args[1:], helmcmd.SetupLogging)
	if err == nil {
		err = command.Execute()
	}
	if err == nil {
		return 0
	}
	slog.Warn("command failed", slog.Any("error", err))
	var plugin helmcmd.CommandError
	if errors.As(err, &plugin) {
		return plugin.ExitCode
	}
	return 1
}
