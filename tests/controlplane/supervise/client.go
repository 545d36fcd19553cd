package supervise

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const pollInterval = 50 * time.Millisecond

// client speaks to the API server as the administrator, with as little as the supervisor needs.
type client struct {
	server string
	token  string
	http   *http.Client
	ended  <-chan error
}

func newClient(server string, credentials *credentials, ended <-chan error) (*client, error) {
	if credentials == nil {
		return nil, errors.New("no credentials yet")
	}
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(credentials.authority)
	return &client{
		server: server, token: credentials.tokens[administrator], ended: ended,
		http: &http.Client{
			Timeout:   10 * time.Second,
			Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authorities}},
		},
	}, nil
}

func (c *client) do(method, path string, body []byte) ([]byte, error) {
	request, err := http.NewRequest(method, c.server+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, 16<<20))
	if err == nil && response.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, response.Status, content)
	}
	return content, err
}

func (c *client) create(path string, object any) error {
	body, err := json.Marshal(object)
	if err != nil {
		return err
	}
	_, err = c.do(http.MethodPost, path, body)
	return err
}

func (c *client) succeeds(path string) func() error {
	return func() error { _, err := c.do(http.MethodGet, path, nil); return err }
}

// await tries until there is no error. It gives up when a component ends or the context is done.
func (c *client) await(ctx context.Context, what string, try func() error) error {
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		last := try()
		if last == nil {
			return nil
		}
		select {
		case err := <-c.ended:
			return err
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w; last: %w", what, context.Cause(ctx), last)
		case <-poll.C:
		}
	}
}

// volumeFolders are the folders of the host-path volumes that exist.
func (c *client) volumeFolders() []string {
	content, err := c.do(http.MethodGet, "/api/v1/persistentvolumes", nil)
	if err != nil {
		return nil
	}
	var list struct {
		Items []struct {
			Spec struct {
				HostPath struct {
					Path string `json:"path"`
				} `json:"hostPath"`
			} `json:"spec"`
		} `json:"items"`
	}
	if json.Unmarshal(content, &list) != nil {
		return nil
	}
	var folders []string
	for _, item := range list.Items {
		if strings.HasPrefix(item.Spec.HostPath.Path, provisionedVolumes) {
			folders = append(folders, item.Spec.HostPath.Path)
		}
	}
	return folders
}
