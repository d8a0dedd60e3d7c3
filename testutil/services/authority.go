package services

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const (
	authorityFile      = "authority.pem"
	certificateFile    = "server.pem"
	certificateKeyFile = "server.key"
	certificateLife    = 30 * 24 * time.Hour
)

// authority signs certificates of servers on 127.0.0.1.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// Certificate writes files for a server on 127.0.0.1, PEM all: the authority that its clients trust, its certificate, its key.
func Certificate(tb testing.TB) (authority, certificate, key string) {
	tb.Helper()
	dir := tb.TempDir()
	authority, certificate, key = filepath.Join(dir, authorityFile), filepath.Join(dir, certificateFile), filepath.Join(dir, certificateKeyFile)
	made, err := newAuthority()
	if err == nil {
		err = errors.Join(made.write(authority), made.issue(certificate, key))
	}
	if err != nil {
		tb.Fatal("services: ", err)
	}
	return authority, certificate, key
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := template("authority of a test")
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return &authority{certificate, key}, err
}

func template(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(certificateLife),
	}
}

// write writes the authority's own certificate.
func (a *authority) write(file string) error {
	return writePEM(file, 0o644, "CERTIFICATE", a.certificate.Raw)
}

// issue writes a certificate and its key.
func (a *authority) issue(certFile, keyFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := template("server of a test")
	template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(writePEM(certFile, 0o644, "CERTIFICATE", certificate), writePEM(keyFile, 0o600, "PRIVATE KEY", private))
}

func writePEM(file string, mode os.FileMode, kind string, der []byte) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}
