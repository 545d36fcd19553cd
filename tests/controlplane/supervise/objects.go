package supervise

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
)

// Where kube-controller-manager's host-path provisioner makes the folders of volumes; not configurable.
const provisionedVolumes = "/tmp/hostpath_pv/"

type object = map[string]any

// populate makes what a cluster that people get has from the start, and waits until the controllers work.
func (c *controlPlane) populate(ctx context.Context, client *client) error {
	if !c.processes.has("kube-controller-manager") {
		return nil
	}
	if err := client.create("/apis/storage.k8s.io/v1/storageclasses", storageClass()); err != nil {
		return err
	}
	account := client.succeeds("/api/v1/namespaces/default/serviceaccounts/default")
	if err := client.await(ctx, "kube-controller-manager to make a service account", account); err != nil {
		return err
	}
	if !c.processes.has("kwok") {
		return nil
	}
	_, text, err := net.SplitHostPort(c.kubelets)
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	for i := range c.settings.nodes {
		if err := client.create("/api/v1/nodes", node(fmt.Sprintf("node-%d", i), port)); err != nil {
			return err
		}
	}
	return client.await(ctx, "the nodes to be ready", func() error { return nodesReady(client, c.settings.nodes) })
}

// The default class, so that claims which name none are bound, by the real controllers.
func storageClass() object {
	return object{
		"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
		"metadata": object{
			"name":        "standard",
			"annotations": object{"storageclass.kubernetes.io/is-default-class": "true"},
		},
		"provisioner": "kubernetes.io/host-path", "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate",
	}
}

// A node that has room for everything, each in a zone of its own. All have one kubelet, which the API server asks for logs.
func node(name string, port int) object {
	room := object{"cpu": "1k", "memory": "1Ti", "pods": "100k", "ephemeral-storage": "1Ti"}
	return object{
		"apiVersion": "v1", "kind": "Node",
		"metadata": object{"name": name, "labels": object{
			"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "kubernetes.io/hostname": name,
			"topology.kubernetes.io/region": "region", "topology.kubernetes.io/zone": "zone-" + name,
		}},
		"status": object{
			"allocatable": room, "capacity": room,
			"addresses":       []object{{"type": "InternalIP", "address": "127.0.0.1"}},
			"daemonEndpoints": object{"kubeletEndpoint": object{"Port": port}},
		},
	}
}

// nodesReady also waits for the taint of new nodes to be gone: Pods are scheduled from then on.
func nodesReady(client *client, wanted int) error {
	content, err := client.do(http.MethodGet, "/api/v1/nodes", nil)
	if err != nil {
		return err
	}
	var list struct {
		Items []struct {
			Spec struct {
				Taints []object `json:"taints"`
			} `json:"spec"`
			Status struct {
				Conditions []struct{ Type, Status string } `json:"conditions"`
			} `json:"status"`
		} `json:"items"`
	}
	if err := json.Unmarshal(content, &list); err != nil {
		return err
	}
	ready := 0
	for _, item := range list.Items {
		for _, condition := range item.Status.Conditions {
			if condition.Type == "Ready" && condition.Status == "True" && len(item.Spec.Taints) == 0 {
				ready++
			}
		}
	}
	if ready < wanted {
		return errors.New("not all nodes are ready")
	}
	return nil
}
