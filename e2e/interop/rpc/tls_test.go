package rpcinterop

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// certificate makes a self-signed pair for 127.0.0.1 and returns its files.
func certificate(t *testing.T) (certPath, keyPath string, pool *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IPAddresses: []net.IP{net.ParseIP("127.0.0.1")}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	must(t, err)
	dir := t.TempDir()
	certPath, keyPath = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	must(t, os.WriteFile(certPath, certPEM, 0o600))
	must(t, os.WriteFile(keyPath, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), 0o600))
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return certPath, keyPath, pool
}

// One TLS port serves gRPC and HTTP/1.1, told apart by ALPN.
func TestTLS(t *testing.T) {
	cert, key, pool := certificate(t)
	s := startServer(t, "--cert="+cert, "--key="+key)
	conn, err := grpc.NewClient(s.addr(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool})),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{}), grpc.MaxCallRecvMsgSize(64<<20)))
	must(t, err)
	defer conn.Close()
	for _, size := range []int{0, 1, 20_000, 5 << 20} {
		request, reply := make([]byte, size), []byte(nil)
		must(t, conn.Invoke(context.Background(), "/raw.Test/Echo", &request, &reply))
		if len(reply) != size {
			t.Errorf("sent %d, got %d bytes", size, len(reply))
		}
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	response, err := client.Get("https://" + s.addr() + "/stats")
	must(t, err)
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); response.StatusCode != 200 || len(body) == 0 {
		t.Errorf("HTTP: %s", response.Status)
	}
	// Plain text on a TLS port is closed, and so is an old TLS version.
	plain, err := net.Dial("tcp", s.addr())
	must(t, err)
	defer plain.Close()
	plain.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	plain.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadAll(plain); err != nil && err.(net.Error).Timeout() {
		t.Error("plain text was not closed")
	}
	if c, err := tls.Dial("tcp", s.addr(), &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS11, NextProtos: []string{"h2"}}); err == nil {
		c.Close()
		t.Error("TLS 1.1 was accepted")
	}
}

// authority signs certificates for 127.0.0.1.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "ca"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return &authority{t, cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// issue returns a certificate and its key as PEM; change may alter the certificate before it is signed.
func (a *authority) issue(name string, change func(*x509.Certificate)) (certPEM, keyPEM []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(a.t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, IPAddresses: []net.IP{net.ParseIP("127.0.0.1")},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	must(a.t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	must(a.t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})
}

func (a *authority) client(name string, change func(*x509.Certificate)) []tls.Certificate {
	pair, err := tls.X509KeyPair(a.issue(name, change))
	must(a.t, err)
	return []tls.Certificate{pair}
}

// files are what a server is told, in a folder of their own.
type files struct{ ca, cert, key string }

func (f files) write(t *testing.T, ca, cert, key []byte) {
	must(t, os.WriteFile(f.ca, ca, 0o600))
	must(t, os.WriteFile(f.cert, cert, 0o600))
	must(t, os.WriteFile(f.key, key, 0o600))
}

func newFiles(t *testing.T) files {
	dir := t.TempDir()
	return files{filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
}

// echoTLS makes one call over a fresh connection.
func echoTLS(s *server, config *tls.Config) error {
	conn, err := grpc.NewClient(s.addr(), grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{})))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	request, reply := []byte("hello"), []byte(nil)
	return conn.Invoke(ctx, "/raw.Test/Echo", &request, &reply)
}

// getTLS fetches a page over HTTP/1.1.
func getTLS(s *server, config *tls.Config) error {
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
	response, err := client.Get("https://" + s.addr() + "/stats")
	if err == nil {
		response.Body.Close()
	}
	return err
}

// Rows 16 to 19: who may come in, by gRPC and by HTTP.
func TestClientCertificates(t *testing.T) {
	ca, stranger, f := newAuthority(t), newAuthority(t), newFiles(t)
	cert, key := ca.issue("server", nil)
	f.write(t, ca.pem, cert, key)
	s := startServer(t, "--ca="+f.ca, "--cert="+f.cert, "--key="+f.key, "--allowed-name=tikv", "--allowed-name=pd")
	cases := []struct {
		name  string
		certs []tls.Certificate
		good  bool
	}{
		{"allowed", ca.client("tikv", nil), true},
		{"another allowed", ca.client("pd", nil), true},
		{"none", nil, false},
		{"contains an allowed name", ca.client("not-tikv", nil), false},
		{"NUL after an allowed name", ca.client("tikv\x00", nil), false},
		{"wildcard", ca.client("*", nil), false},
		{"another authority", stranger.client("tikv", nil), false},
		{"expired", ca.client("tikv", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), false},
		{"not yet valid", ca.client("tikv", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }), false},
		{"for servers only", ca.client("tikv", func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}), false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			config := &tls.Config{RootCAs: ca.pool(), Certificates: c.certs}
			if err := echoTLS(s, config.Clone()); (err == nil) != c.good {
				t.Errorf("gRPC: %v", err)
			}
			if err := getTLS(s, config.Clone()); (err == nil) != c.good {
				t.Errorf("HTTP: %v", err)
			}
		})
	}
}

// Row 21: replaced files are taken up without a restart, and unusable ones are not.
func TestCertificatesAreReloaded(t *testing.T) {
	first, second, f := newAuthority(t), newAuthority(t), newFiles(t)
	cert, key := first.issue("server", nil)
	f.write(t, first.pem, cert, key)
	s := startServer(t, "--ca="+f.ca, "--cert="+f.cert, "--key="+f.key)
	old := &tls.Config{RootCAs: first.pool(), Certificates: first.client("c", nil)}
	fresh := &tls.Config{RootCAs: second.pool(), Certificates: second.client("c", nil)}
	served := func(config *tls.Config) bool {
		return echoTLS(s, config.Clone()) == nil && getTLS(s, config.Clone()) == nil
	}
	if !served(old) || served(fresh) {
		t.Fatal("before any change")
	}
	bad := map[string]func(){
		"garbage":   func() { must(t, os.WriteFile(f.cert, []byte("garbage"), 0o600)) },
		"wrong key": func() { _, other := first.issue("server", nil); f.write(t, first.pem, cert, other) },
		"deleted":   func() { os.Remove(f.cert); os.Remove(f.key) },
	}
	for name, spoil := range bad {
		spoil()
		time.Sleep(1100 * time.Millisecond) // The server looks once per second.
		if !served(old) {
			t.Errorf("%s: the old certificate is gone", name)
		}
	}
	cert, key = second.issue("server", nil)
	f.write(t, second.pem, cert, key)
	for deadline := time.Now().Add(10 * time.Second); !served(fresh); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the new certificates were not taken up")
		}
	}
	if served(old) {
		t.Error("the old authority still counts")
	}
}
