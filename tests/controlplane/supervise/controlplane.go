package supervise

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

//go:embed kwok.yaml
var stages []byte

//go:embed audit.yaml
var auditPolicy []byte

// What every container has logged, in the form in which kubelets keep it.
var containerLog = []byte(`2026-01-01T00:00:00.000000000Z stdout F first line of the container's log
2026-01-01T00:00:01.000000000Z stderr F last line of the container's log
`)

// The kube-controller-manager and kube-scheduler are limited to 20 requests a second by default, which would then be what a
// benchmark measures.
var unlimited = []string{"--kube-api-qps=1000", "--kube-api-burst=2000"}

// controlPlane is one control plane in one directory.
type controlPlane struct {
	settings    options
	processes   *processes
	credentials *credentials
	server      string
	kubelets    string // where the fake kubelets are asked for logs
}

func (c *controlPlane) path(name string) string { return filepath.Join(c.settings.directory, name) }

func (c *controlPlane) kubeconfig(user string) string {
	if user == administrator {
		return c.path("kubeconfig")
	}
	return c.path(strings.TrimPrefix(user, "system:") + ".kubeconfig")
}

// start returns when the control plane is ready, a component has ended, or the context is done.
func (c *controlPlane) start(ctx context.Context) error {
	ports, err := freePorts(4)
	if err != nil {
		return err
	}
	c.server = "https://" + ports[0]
	c.kubelets = ports[3]
	if c.credentials, err = newCredentials(c.path); err != nil {
		return err
	}
	for _, user := range users {
		if err := c.credentials.writeKubeconfig(c.kubeconfig(user), c.server, user); err != nil {
			return err
		}
	}
	for name, content := range map[string][]byte{
		"kwok.yaml": stages, "audit.yaml": auditPolicy, "container.log": containerLog,
	} {
		if err := os.WriteFile(c.path(name), content, 0o600); err != nil {
			return err
		}
	}
	client, err := newClient(c.server, c.credentials, c.processes.ended)
	if err != nil {
		return err
	}
	if err := c.startStorage("http://"+ports[1], "http://"+ports[2]); err != nil {
		return err
	}
	if err := c.startServer(ports[0], "http://"+ports[1]); err != nil {
		return err
	}
	if err := client.await(ctx, "kube-apiserver to be ready", client.succeeds("/readyz")); err != nil {
		return err
	}
	if err := c.startControllers(); err != nil {
		return err
	}
	return c.populate(ctx, client)
}

func (c *controlPlane) startStorage(clients, peers string) error {
	return c.processes.start("etcd", "--data-dir=etcd", "--unsafe-no-fsync", "--logger=zap", "--log-level=warn",
		"--listen-client-urls="+clients, "--advertise-client-urls="+clients,
		"--listen-peer-urls="+peers, "--initial-advertise-peer-urls="+peers, "--initial-cluster=default="+peers)
}

func (c *controlPlane) startServer(address, storage string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	arguments := []string{
		"--etcd-servers=" + storage, "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port=" + port,
		"--tls-cert-file=serving.crt", "--tls-private-key-file=serving.key", "--token-auth-file=tokens.csv",
		"--service-account-key-file=service-accounts.key", "--service-account-signing-key-file=service-accounts.key",
		"--service-account-issuer=" + c.server, "--service-cluster-ip-range=10.0.0.0/16", "--authorization-mode=RBAC",
		"--allow-privileged", "--endpoint-reconciler-type=none",
	}
	if !c.processes.has("kube-controller-manager") { // nothing would make the accounts that admission asks for
		arguments = append(arguments, "--disable-admission-plugins=ServiceAccount")
	}
	if c.settings.audit {
		arguments = append(arguments, "--audit-policy-file=audit.yaml", "--audit-log-path=audit.log",
			"--audit-log-maxsize=100000") // megabytes: never rotated, so that a test reads one file
	}
	return c.processes.start("kube-apiserver", arguments...)
}

// startControllers starts those that there are; envtest's folder, for example, has none of them.
func (c *controlPlane) startControllers() error {
	_, port, err := net.SplitHostPort(c.kubelets)
	if err != nil {
		return err
	}
	arguments := map[string][]string{
		"kube-controller-manager": append([]string{
			"--kubeconfig=" + c.kubeconfig(controllerManager), "--secure-port=0", "--leader-elect=false",
			"--service-account-private-key-file=service-accounts.key", "--root-ca-file=ca.crt",
			"--enable-hostpath-provisioner", // of the StorageClass that populate makes
		}, unlimited...),
		"kube-scheduler": append([]string{
			"--kubeconfig=" + c.kubeconfig(scheduler), "--secure-port=0", "--leader-elect=false",
		}, unlimited...),
		"kwok": {
			"--kubeconfig=" + c.kubeconfig(fakeKubelet), "--config=kwok.yaml", "--manage-all-nodes",
			"--node-lease-duration-seconds=40", "--node-port=" + port, "--server-address=" + c.kubelets,
		},
	}
	for _, name := range []string{"kube-controller-manager", "kube-scheduler", "kwok"} {
		if !c.processes.has(name) {
			continue
		}
		if err := c.processes.start(name, arguments[name]...); err != nil {
			return err
		}
	}
	return nil
}

// stop ends all components, and removes the folders that the controller-manager made for the volumes it provisioned.
func (c *controlPlane) stop() {
	var volumes []string
	if client, err := newClient(c.server, c.credentials, nil); err == nil {
		volumes = client.volumeFolders()
	}
	c.processes.stop()
	for _, folder := range volumes {
		_ = os.Remove(folder) // empty: nothing runs that could write to it
	}
}

// freePorts chooses addresses on which nothing listens.
func freePorts(count int) ([]string, error) {
	addresses := make([]string, 0, count)
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, errors.Join(errors.New("no free port"), err)
		}
		defer listener.Close() // all stay open until all are chosen, so that they differ
		addresses = append(addresses, fmt.Sprint(listener.Addr()))
	}
	return addresses, nil
}
