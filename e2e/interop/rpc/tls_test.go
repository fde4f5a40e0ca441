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
