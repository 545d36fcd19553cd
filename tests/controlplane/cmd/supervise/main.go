// The supervisor alone, for control planes whose components are built elsewhere (KUBEBUILDER_ASSETS). It needs nothing
// but Go's standard library, so that it builds within seconds and downloads nothing.
package main

import (
	"os"

	"fairlead.dev/tests/controlplane/supervise"
)

func main() { os.Exit(supervise.Main(os.Args[1:])) }
