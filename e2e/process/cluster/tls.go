package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// TLS names the PEM files of an authority and of one certificate for 127.0.0.1 signed by it.
type TLS struct {
	CA, Cert, Key string
	AllowedCN     string // "" lets every name in

	dir       string
	authority *x509.Certificate
	signer    *ecdsa.PrivateKey
}

// NewTLS makes an authority and a certificate with this common name below dir.
func NewTLS(dir, commonName string) (*TLS, error) {
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	authority := certificate("test authority")
	authority.IsCA = true
	authority.BasicConstraintsValid = true
	authority.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, authority, authority, &signer.PublicKey, signer)
	if err != nil {
		return nil, err
	}
	t := &TLS{CA: filepath.Join(dir, "ca.pem"), dir: dir, authority: authority, signer: signer}
	if err := writePEM(t.CA, "CERTIFICATE", der); err != nil {
		return nil, err
	}
	t.Cert, t.Key, err = t.Sign(commonName)
	return t, err
}

// Sign makes another certificate of the same authority and returns its files.
func (t *TLS) Sign(commonName string) (cert, key string, err error) {
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	der, err := x509.CreateCertificate(rand.Reader, certificate(commonName), t.authority, &own.PublicKey, t.signer)
	if err != nil {
		return "", "", err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		return "", "", err
	}
	cert, key = filepath.Join(t.dir, commonName+".pem"), filepath.Join(t.dir, commonName+"-key.pem")
	if err := writePEM(cert, "CERTIFICATE", der); err != nil {
		return "", "", err
	}
	return cert, key, writePEM(key, "PRIVATE KEY", keyDER)
}

// Transport is for HTTP clients that show the certificate.
func (t *TLS) Transport() *http.Transport { return TransportWith(t.CA, t.Cert, t.Key) }

// TransportWith trusts ca and shows cert; "" shows none.
func TransportWith(ca, cert, key string) *http.Transport {
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	if text, err := os.ReadFile(ca); err == nil {
		config.RootCAs.AppendCertsFromPEM(text)
	}
	if pair, err := tls.LoadX509KeyPair(cert, key); err == nil {
		config.Certificates = []tls.Certificate{pair}
	}
	return &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
}

func certificate(commonName string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: commonName},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
