// One multi-call binary that holds everything a real control plane needs in a test, and the tools that tests compare
// with. The component is chosen by the name that the binary is called by (the build makes a link for each), or by its
// first argument.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"fairlead.dev/tests/controlplane/supervise"
	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

// Each component takes os.Args and returns the exit code of the process.
var components = map[string]func() int{
	"etcd":                    func() int { etcdmain.Main(os.Args); return 0 },
	"kube-apiserver":          kubernetes(apiserver.NewAPIServerCommand),
	"kube-controller-manager": kubernetes(controllers.NewControllerManagerCommand),
	"kube-scheduler":          kubernetes(func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
	"kubectl":                 kubernetes(kubectl.NewDefaultKubectlCommand),
	"helm":                    helm,
	"kwok":                    kwok,
	"registry":                registry,
	"supervise":               func() int { return supervise.Main(os.Args[1:]) },
}

func main() {
	run := components[filepath.Base(os.Args[0])]
	if run == nil && len(os.Args) > 1 {
		run, os.Args = components[os.Args[1]], os.Args[1:]
	}
	if run == nil {
		names := make([]string, 0, len(components))
		for name := range components {
			names = append(names, name)
		}
		slices.Sort(names)
		fmt.Fprintf(os.Stderr, "usage: %s COMPONENT [ARGUMENT...], where COMPONENT is one of %v\n", os.Args[0], names)
		os.Exit(2)
	}
	os.Exit(run())
}

func kubernetes(newCommand func() *cobra.Command) func() int {
	return func() int { return cli.Run(newCommand()) }
}
