// Judges what the functions that make keys, certificates and passwords made: Go's own crypto packages read it, and Sprig
// itself does what can be computed again. Reads one JSON object, prints what is wrong, one line each.
package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/Masterminds/sprig/v3"
	"golang.org/x/crypto/bcrypt"
)

type certificate struct {
	Cert, Key  string
	CommonName string
	Days       int
	DNS, IPs   []string
	IsCA       bool
	Issuer     string // the one that signed it, itself if empty
}

type made struct {
	Now          time.Time
	Certificates map[string]certificate
	Keys         map[string]string
	Passwords    map[string]struct{ Hash, User, Password string }
	Derived      []struct {
		Counter                          uint32
		Kind, Password, User, Site, Text string
	}
	Encrypted []struct{ Password, Text, Cipher string }
}

func main() {
	var m made
	decoder := json.NewDecoder(os.Stdin)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&m); err != nil {
		panic(err)
	}
	report := func(name string, err error) {
		if err != nil {
			fmt.Printf("%s: %v\n", name, err)
		}
	}
	for name, c := range m.Certificates {
		report(name, m.certificate(c))
	}
	for kind, text := range m.Keys {
		report("key "+kind, key(kind, text))
	}
	for name, p := range m.Passwords {
		user, hash := "", p.Hash
		if p.User != "" {
			user, hash, _ = strings.Cut(p.Hash, ":")
		}
		if user != p.User {
			report(name, fmt.Errorf("user %q", user))
		}
		report(name, bcrypt.CompareHashAndPassword([]byte(hash), []byte(p.Password)))
	}
	functions := sprig.GenericFuncMap()
	for _, d := range m.Derived {
		call := functions["derivePassword"].(func(uint32, string, string, string, string) string)
		if want := call(d.Counter, d.Kind, d.Password, d.User, d.Site); want != d.Text {
			report("derivePassword", fmt.Errorf("%s: %q, not %q", d.Kind, d.Text, want))
		}
	}
	for _, e := range m.Encrypted {
		text, err := functions["decryptAES"].(func(string, string) (string, error))(e.Password, e.Cipher)
		if err == nil && text != e.Text {
			err = fmt.Errorf("%q, not %q", text, e.Text)
		}
		report("encryptAES", err)
	}
	if len(m.Certificates) == 0 || len(m.Keys) == 0 || len(m.Passwords) == 0 || len(m.Derived) == 0 || len(m.Encrypted) == 0 {
		panic("nothing to judge")
	}
	fmt.Println("judged")
}

func parse(text string) (*x509.Certificate, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || len(rest) > 0 {
		return nil, fmt.Errorf("not one certificate: %q", text)
	}
	return x509.ParseCertificate(block.Bytes)
}

func (m made) certificate(c certificate) error {
	leaf, err := parse(c.Cert)
	if err != nil {
		return err
	}
	// The key is the certificate's.
	if _, err := tls.X509KeyPair([]byte(c.Cert), []byte(c.Key)); err != nil {
		return err
	}
	var ips []string
	for _, ip := range leaf.IPAddresses {
		ips = append(ips, ip.String())
	}
	switch {
	case leaf.Subject.CommonName != c.CommonName:
		return fmt.Errorf("common name %q", leaf.Subject.CommonName)
	case leaf.IsCA != c.IsCA:
		return fmt.Errorf("authority: %v", leaf.IsCA)
	case !leaf.NotBefore.Equal(m.Now) || !leaf.NotAfter.Equal(m.Now.Add(time.Duration(c.Days)*24*time.Hour)):
		return fmt.Errorf("valid from %v to %v", leaf.NotBefore, leaf.NotAfter)
	case !reflect.DeepEqual(leaf.DNSNames, c.DNS) || !reflect.DeepEqual(ips, c.IPs):
		return fmt.Errorf("for %v and %v", leaf.DNSNames, ips)
	case leaf.SerialNumber.Sign() <= 0:
		return fmt.Errorf("serial number %v", leaf.SerialNumber)
	}
	issuer := leaf
	if c.Issuer != "" {
		if issuer, err = parse(m.Certificates[c.Issuer].Cert); err != nil {
			return err
		}
	}
	roots := x509.NewCertPool()
	roots.AddCert(issuer)
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		for _, name := range append(append([]string{""}, c.DNS...), c.IPs...) {
			options := x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: m.Now.Add(time.Hour), KeyUsages: []x509.ExtKeyUsage{usage}}
			if _, err := leaf.Verify(options); err != nil {
				return fmt.Errorf("as %q: %w", name, err)
			}
			options.CurrentTime = leaf.NotAfter.Add(time.Second)
			if _, err := leaf.Verify(options); err == nil {
				return fmt.Errorf("as %q: still valid after its end", name)
			}
		}
	}
	if c.IsCA || c.Issuer != "" {
		return leaf.CheckSignatureFrom(issuer)
	}
	// A certificate that is no authority may not sign, itself included; the signature must be right all the same.
	return leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature)
}

func key(kind, text string) error {
	block, rest := pem.Decode([]byte(text))
	if block == nil || len(rest) > 0 {
		return fmt.Errorf("not one PEM block: %q", text)
	}
	switch kind {
	case "rsa", "":
		k, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return err
		}
		if k.N.BitLen() != 4096 {
			return fmt.Errorf("%d bits", k.N.BitLen())
		}
		return k.Validate()
	case "ecdsa":
		k, err := x509.ParseECPrivateKey(block.Bytes)
		if err != nil {
			return err
		}
		return expect(k.Curve == elliptic.P256() && k.PublicKey.Equal(k.Public().(*ecdsa.PublicKey)))
	case "ed25519":
		k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return err
		}
		_, is := k.(ed25519.PrivateKey)
		return expect(is)
	case "dsa":
		var k struct {
			Version       int
			P, Q, G, Y, X *big.Int
		}
		if _, err := asn1.Unmarshal(block.Bytes, &k); err != nil {
			return err
		}

		rest := new(big.Int).Mod(new(big.Int).Sub(k.P, big.NewInt(1)), k.Q)
		right := k.P.ProbablyPrime(20) && k.Q.ProbablyPrime(20) && rest.Sign() == 0 && k.P.BitLen() == 2048 && k.Q.BitLen() == 256
		return expect(right && new(big.Int).Exp(k.G, k.X, k.P).Cmp(k.Y) == 0 && new(big.Int).Exp(k.G, k.Q, k.P).Cmp(big.NewInt(1)) == 0)
	default:
		return fmt.Errorf("unknown kind")
	}
}

func expect(holds bool) error {
	if holds {
		return nil
	}
	return fmt.Errorf("parameters are wrong")
}
