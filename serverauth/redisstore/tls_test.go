package redisstore_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/redisstore"
	"github.com/picoauth/picoauth/testutil/services"
)

// certificate makes an authority that signs for itself, and returns the files of its certificate and key.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// A server whose certificate a private authority signed is trusted with ca_file, and with nothing else.
func TestPrivateAuthority(t *testing.T) {
	cert, key := certificate(t)
	port := strconv.Itoa(services.FreePort(t))
	server := services.Redis(t, "tls-port="+port, "tls-cert-file="+cert, "tls-key-file="+key, "tls-ca-cert-file="+cert, "tls-auth-clients=no")
	u := url.URL{Scheme: "rediss", User: url.UserPassword("", server.Password()), Host: net.JoinHostPort("127.0.0.1", port)}
	other, _ := certificate(t)
	for name, test := range map[string]struct {
		file string
		good bool
	}{"its own": {cert, true}, "another": {other, false}, "none": {"", false}, "missing": {"/nowhere", false}, "no certificate": {key, false}} {
		u.RawQuery = url.Values{"ca_file": {test.file}}.Encode()
		stores, err := redisstore.New().Open(t.Context(), config(t, u.String()))
		if err == nil {
			err = stores.Close()
		}
		if (err == nil) != test.good || err != nil && strings.Contains(err.Error(), server.Password()) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := redisstore.New().Open(t.Context(), config(t, server.URL()+"?ca_file="+url.QueryEscape(cert))); err == nil {
		t.Error("a ca_file without TLS is taken")
	}
}

// A failover loses what a replica did not have yet: the start says so.
func TestReplicatedServer(t *testing.T) {
	server := services.Redis(t)
	_, port, err := net.SplitHostPort(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	services.Redis(t, "replicaof=127.0.0.1 "+port, "masterauth="+server.Password())
	admin := client(t, server.URL())
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(admin.Info(t.Context(), "replication").Val(), "connected_slaves:1"); {
		if time.Now().After(deadline) {
			t.Fatal("the replica does not come")
		}
		time.Sleep(20 * time.Millisecond)
	}
	var log bytes.Buffer
	c := config(t, server.URL())
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	open(t, redisstore.New(), c)
	if !strings.Contains(log.String(), "after a failover the new master may lack") {
		t.Errorf("it is not said: %s", log.String())
	}
}
