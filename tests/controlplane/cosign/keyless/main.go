// Command keyless signs artifacts in registries as cosign does for people who have no key: with certificates of an authority
// like Fulcio's, timestamps and proofs of a log like Rekor's, and the transparency log's word for each certificate. The authority
// and the logs live in this process, and its first line of output is the trusted root that they are known by.
//
// It reads requests as JSON lines, and answers each with one.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

// request is a signature that is asked for.
type request struct {
	// Reference names what is signed, by tag.
	Reference string `json:"reference"`
	// Identity is who signs: an address of mail, or of a workflow.
	Identity string `json:"identity"`
	// Issuer says who knows the identity.
	Issuer string `json:"issuer"`
	// Format is "bundle", or "payload" for what cosign wrote before its version 3.
	Format string `json:"format"`
	// Damage says what is wrong with the signature, if anything shall be.
	Damage string `json:"damage"`
}

type answer struct {
	Error string `json:"error,omitempty"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "keyless:", err)
		os.Exit(1)
	}
}

func run() error {
	instance, err := newInstance()
	if err != nil {
		return err
	}
	root, err := instance.trustedRoot()
	if err != nil {
		return err
	}
	output := json.NewEncoder(os.Stdout)
	if err := output.Encode(json.RawMessage(root)); err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var asked request
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			return err
		}
		var answered answer
		if err := sign(instance, asked); err != nil {
			answered.Error = err.Error()
		}
		if err := output.Encode(answered); err != nil {
			return err
		}
	}
	return lines.Err()
}
