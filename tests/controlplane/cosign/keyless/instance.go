package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"net/url"
	"strings"
	"time"

	ct "github.com/google/certificate-transparency-go"
	cttls "github.com/google/certificate-transparency-go/tls"
	ctx509 "github.com/google/certificate-transparency-go/x509"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
)

// instance is a Sigstore of its own: an authority, a log of certificates, and (from sigstore-go's tests) a log of signatures.
type instance struct {
	root, intermediate *x509.Certificate
	authority          *ecdsa.PrivateKey
	certificates       *ecdsa.PrivateKey
	rekor              *ca.VirtualSigstore
}

func newInstance() (*instance, error) {
	rootCertificate, rootKey, err := ca.GenerateRootCa()
	if err != nil {
		return nil, err
	}
	intermediate, authority, err := ca.GenerateFulcioIntermediate(rootCertificate, rootKey)
	if err != nil {
		return nil, err
	}
	certificates, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	rekor, err := ca.NewVirtualSigstore()
	if err != nil {
		return nil, err
	}
	return &instance{rootCertificate, intermediate, authority, certificates, rekor}, nil
}

// trustedRoot is what others have to know of the instance, as trusted_root.json.
func (i *instance) trustedRoot() ([]byte, error) {
	start, end := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	authority := &root.FulcioCertificateAuthority{
		Root:                i.root,
		Intermediates:       []*x509.Certificate{i.intermediate},
		ValidityPeriodStart: start,
		ValidityPeriodEnd:   end,
		URI:                 "https://fulcio.localhost",
	}
	id, err := keyID(i.certificates.Public())
	if err != nil {
		return nil, err
	}
	certificates := map[string]*root.TransparencyLog{hex.EncodeToString(id): {
		BaseURL:             "https://ctfe.localhost",
		ID:                  id,
		ValidityPeriodStart: start,
		ValidityPeriodEnd:   end,
		HashFunc:            crypto.SHA256,
		PublicKey:           i.certificates.Public(),
		SignatureHashFunc:   crypto.SHA256,
	}}
	signatures := i.rekor.RekorLogs()
	for encoded, log := range signatures {
		if log.ID, err = hex.DecodeString(encoded); err != nil {
			return nil, err
		}
	}
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01, []root.CertificateAuthority{authority}, certificates, nil, signatures)
	if err != nil {
		return nil, err
	}
	return trusted.MarshalJSON()
}

func keyID(key crypto.PublicKey) ([]byte, error) {
	encoded, err := x509.MarshalPKIXPublicKey(key)
	digest := sha256.Sum256(encoded)
	return digest[:], err
}

// certify makes a key, and a certificate that says whose it is. The log has promised to have seen it, unless it is unlogged.
func (i *instance) certify(asked request) (*ecdsa.PrivateKey, *x509.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	issuer, err := asn1.MarshalWithParams(asked.Issuer, "utf8")
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(9 * time.Minute),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		ExtraExtensions: []pkix.Extension{
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte(asked.Issuer)},
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}, Value: issuer},
		},
	}
	if strings.Contains(asked.Identity, "://") {
		address, err := url.Parse(asked.Identity)
		if err != nil {
			return nil, nil, err
		}
		template.URIs = []*url.URL{address}
	} else {
		template.EmailAddresses = []string{asked.Identity}
	}
	if asked.Damage == "unlogged certificate" {
		certificate, err := i.issue(template, key)
		return key, certificate, err
	}
	usual := template.ExtraExtensions
	poison := pkix.Extension{Id: asn1.ObjectIdentifier(ctx509.OIDExtensionCTPoison), Critical: true, Value: asn1.NullBytes}
	template.ExtraExtensions = append(usual[:len(usual):len(usual)], poison)
	before, err := i.issue(template, key)
	if err != nil {
		return nil, nil, err
	}
	promise, err := i.promise(before)
	if err != nil {
		return nil, nil, err
	}
	promised := pkix.Extension{Id: asn1.ObjectIdentifier(ctx509.OIDExtensionCTSCT), Value: promise}
	template.ExtraExtensions = append(usual[:len(usual):len(usual)], promised)
	certificate, err := i.issue(template, key)
	return key, certificate, err
}

func (i *instance) issue(template *x509.Certificate, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	encoded, err := x509.CreateCertificate(rand.Reader, template, i.intermediate, key.Public(), i.authority)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(encoded)
}

// promise is the word of the log of certificates for one that is about to be issued, as the value of the extension for it.
func (i *instance) promise(certificate *x509.Certificate) ([]byte, error) {
	bare, err := ctx509.BuildPrecertTBS(certificate.RawTBSCertificate, nil)
	if err != nil {
		return nil, err
	}
	id, err := keyID(i.certificates.Public())
	if err != nil {
		return nil, err
	}
	promise := ct.SignedCertificateTimestamp{
		SCTVersion: ct.V1,
		LogID:      ct.LogID{KeyID: [32]byte(id)},
		Timestamp:  uint64(time.Now().UnixMilli()),
	}
	entry := ct.LogEntry{Leaf: ct.MerkleTreeLeaf{LeafType: ct.TimestampedEntryLeafType, TimestampedEntry: &ct.TimestampedEntry{
		Timestamp: promise.Timestamp,
		EntryType: ct.PrecertLogEntryType,
		PrecertEntry: &ct.PreCert{
			IssuerKeyHash:  sha256.Sum256(i.intermediate.RawSubjectPublicKeyInfo),
			TBSCertificate: bare,
		},
	}}}
	input, err := ct.SerializeSCTSignatureInput(promise, entry)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(input)
	signature, err := ecdsa.SignASN1(rand.Reader, i.certificates, digest[:])
	if err != nil {
		return nil, err
	}
	algorithm := cttls.SignatureAndHashAlgorithm{Hash: cttls.SHA256, Signature: cttls.ECDSA}
	promise.Signature = ct.DigitallySigned{Algorithm: algorithm, Signature: signature}
	encoded, err := cttls.Marshal(promise)
	if err != nil {
		return nil, err
	}
	list := ctx509.SignedCertificateTimestampList{SCTList: []ctx509.SerializedSCT{{Val: encoded}}}
	encoded, err = cttls.Marshal(list)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(encoded)
}
