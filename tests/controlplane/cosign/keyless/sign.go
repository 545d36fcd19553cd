package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/sigstore/cosign/v3/pkg/cosign/bundle"
	"github.com/sigstore/cosign/v3/pkg/oci/mutate"
	ociremote "github.com/sigstore/cosign/v3/pkg/oci/remote"
	"github.com/sigstore/cosign/v3/pkg/oci/static"
	"github.com/sigstore/cosign/v3/pkg/types"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature/payload"
	"google.golang.org/protobuf/encoding/protojson"
)

const statementType = "application/vnd.in-toto+json"

func sign(i *instance, asked request) error {
	reference, err := name.ParseReference(asked.Reference, name.Insecure)
	if err != nil {
		return err
	}
	found, err := remote.Head(reference)
	if err != nil {
		return err
	}
	artifact := reference.Context().Digest(found.Digest.String())
	key, certificate, err := i.certify(asked)
	if err != nil {
		return err
	}
	if asked.Damage == "other artifact" {
		artifact = reference.Context().Digest(fmt.Sprintf("sha256:%064d", 7))
	}
	switch asked.Format {
	case "bundle":
		encoded, err := i.bundle(asked, key, certificate, artifact)
		if err != nil {
			return err
		}
		return ociremote.WriteAttestationNewBundleFormat(reference.Context().Digest(found.Digest.String()), encoded, types.CosignSignPredicateType)
	case "payload":
		return i.payload(asked, key, certificate, artifact, reference.Context().Digest(found.Digest.String()))
	default:
		return fmt.Errorf("no such format: %q", asked.Format)
	}
}

// bundle makes a Sigstore bundle.
func (i *instance) bundle(asked request, key *ecdsa.PrivateKey, certificate *x509.Certificate, artifact name.Digest) ([]byte, error) {
	digest := artifact.DigestStr()[len("sha256:"):]
	statement, err := json.Marshal(map[string]any{
		"_type":         "https://in-toto.io/Statement/v1",
		"subject":       []any{map[string]any{"digest": map[string]string{"sha256": digest}}},
		"predicateType": types.CosignSignPredicateType,
		"predicate":     map[string]any{},
	})
	if err != nil {
		return nil, err
	}
	signer, err := dsse.NewEnvelopeSigner(&signer{key})
	if err != nil {
		return nil, err
	}
	envelope, err := signer.SignPayload(context.Background(), statementType, statement)
	if err != nil {
		return nil, err
	}
	signature, err := base64.StdEncoding.DecodeString(envelope.Signatures[0].Sig)
	if err != nil {
		return nil, err
	}
	at := time.Now()
	if asked.Damage == "early" {
		at = at.Add(-10 * time.Minute)
	}
	entry, err := i.rekor.GenerateTlogEntry(certificate, envelope, signature, at.Unix(), true)
	if err != nil {
		return nil, err
	}
	logged := entry.TransparencyLogEntry()
	logged.KindVersion = &protorekor.KindVersion{Kind: "dsse", Version: "0.0.1"}
	id, err := i.rekor.RekorLogID()
	if err != nil {
		return nil, err
	}
	promise, err := i.rekor.RekorSignPayload(tlog.RekorPayload{
		Body:           entry.Body(),
		IntegratedTime: logged.IntegratedTime,
		LogIndex:       logged.LogIndex,
		LogID:          id,
	})
	if err != nil {
		return nil, err
	}
	logged.InclusionPromise = &protorekor.InclusionPromise{SignedEntryTimestamp: promise}
	var entries []*protorekor.TransparencyLogEntry
	switch asked.Damage {
	case "unlogged":
	case "forged log":
		logged.InclusionPromise.SignedEntryTimestamp[10] ^= 1
		entries = append(entries, logged)
	default:
		entries = append(entries, logged)
	}
	return protojson.Marshal(&protobundle.Bundle{
		MediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
		VerificationMaterial: &protobundle.VerificationMaterial{
			Content:     &protobundle.VerificationMaterial_Certificate{Certificate: &protocommon.X509Certificate{RawBytes: certificate.Raw}},
			TlogEntries: entries,
		},
		Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
			Payload:     statement,
			PayloadType: statementType,
			Signatures:  []*protodsse.Signature{{Sig: signature}},
		}},
	})
}

// payload attaches a signed payload, with all that proves it in annotations.
func (i *instance) payload(asked request, key *ecdsa.PrivateKey, certificate *x509.Certificate, artifact, target name.Digest) error {
	document, err := payload.Cosign{Image: artifact}.MarshalJSON()
	if err != nil {
		return err
	}
	signature, err := (&signer{key}).Sign(context.Background(), document)
	if err != nil {
		return err
	}
	own, err := cryptoutils.MarshalCertificateToPEM(certificate)
	if err != nil {
		return err
	}
	authorities, err := cryptoutils.MarshalCertificatesToPEM([]*x509.Certificate{i.intermediate, i.root})
	if err != nil {
		return err
	}
	logged, err := i.log(document, signature, own)
	if err != nil {
		return err
	}
	options := []static.Option{static.WithCertChain(own, authorities)}
	if asked.Damage != "unlogged" {
		options = append(options, static.WithBundle(logged))
	}
	signed, err := static.NewSignature(document, base64.StdEncoding.EncodeToString(signature), options...)
	if err != nil {
		return err
	}
	entity, err := ociremote.SignedEntity(target)
	if err != nil {
		return err
	}
	if entity, err = mutate.AttachSignatureToEntity(entity, signed); err != nil {
		return err
	}
	return ociremote.WriteSignatures(target.Context(), entity)
}

// log records a signature, and gives the log's promise for it.
func (i *instance) log(document, signature, certificate []byte) (*bundle.RekorBundle, error) {
	digest := sha256.Sum256(document)
	body, err := json.Marshal(map[string]any{
		"apiVersion": "0.0.1",
		"kind":       "hashedrekord",
		"spec": map[string]any{
			"data":      map[string]any{"hash": map[string]string{"algorithm": "sha256", "value": hex.EncodeToString(digest[:])}},
			"signature": map[string]any{"content": signature, "publicKey": map[string]any{"content": certificate}},
		},
	})
	if err != nil {
		return nil, err
	}
	id, err := i.rekor.RekorLogID()
	if err != nil {
		return nil, err
	}
	recorded := bundle.RekorPayload{
		Body:           base64.StdEncoding.EncodeToString(body),
		IntegratedTime: time.Now().Unix(),
		LogIndex:       1000,
		LogID:          id,
	}
	promise, err := i.rekor.RekorSignPayload(tlog.RekorPayload{
		Body:           recorded.Body,
		IntegratedTime: recorded.IntegratedTime,
		LogIndex:       recorded.LogIndex,
		LogID:          recorded.LogID,
	})
	if err != nil {
		return nil, err
	}
	return &bundle.RekorBundle{SignedEntryTimestamp: promise, Payload: recorded}, nil
}

// signer signs with a key that nobody keeps.
type signer struct{ key *ecdsa.PrivateKey }

func (s *signer) Sign(_ context.Context, data []byte) ([]byte, error) {
	digest := sha256.Sum256(data)
	return ecdsa.SignASN1(rand.Reader, s.key, digest[:])
}

func (s *signer) KeyID() (string, error) {
	return "", errors.New("it has no name")
}
