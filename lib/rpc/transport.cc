#include "lib/rpc/transport.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "lib/base/status.h"

namespace tikv::rpc {
namespace {

std::string TlsErrorText() {
  char text[256] = "unknown";
  if (unsigned long error = ERR_get_error(); error != 0)
    ERR_error_string_n(error, text, sizeof(text));
  ERR_clear_error();
  return text;
}

// Only HTTP/2: connections that offer http/1.1 have been handed over before the handshake.
int SelectAlpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
               unsigned in_size, void*) {
  static constexpr unsigned char kH2[] = "\x02h2";
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kH2, 3, in, in_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

absl::StatusOr<std::shared_ptr<TlsContext>> TlsContext::Load(const TlsFiles& files) {
  SSL_CTX* raw = SSL_CTX_new(TLS_server_method());
  if (raw == nullptr) return Internal("TLS: {}", TlsErrorText());
  std::shared_ptr<TlsContext> context(new TlsContext(raw, files.allowed_names));
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_security_level(raw, 2);
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_alpn_select_cb(raw, SelectAlpn, nullptr);
  if (SSL_CTX_use_certificate_chain_file(raw, files.cert_path.c_str()) != 1) {
    return InvalidArgument("certificate {}: {}", files.cert_path, TlsErrorText());
  }
  if (SSL_CTX_use_PrivateKey_file(raw, files.key_path.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(raw) != 1) {
    return InvalidArgument("private key {}: {}", files.key_path, TlsErrorText());
  }
  if (!files.ca_path.empty()) {
    if (SSL_CTX_load_verify_locations(raw, files.ca_path.c_str(), nullptr) != 1) {
      return InvalidArgument("CA certificate {}: {}", files.ca_path, TlsErrorText());
    }
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  return context;
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

SSL* TlsContext::NewSession(int fd) const {
  SSL* ssl = SSL_new(context_);
  if (ssl == nullptr) return nullptr;
  SSL_set_fd(ssl, fd);
  SSL_set_accept_state(ssl);
  return ssl;
}

bool TlsContext::Allows(SSL* ssl) const {
  if (allowed_names_.empty()) return true;
  X509* peer = SSL_get1_peer_certificate(ssl);
  if (peer == nullptr) return false;
  std::string name;
  X509_NAME* subject = X509_get_subject_name(peer);
  int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at >= 0) {
    // With its length: a NUL inside must not cut the name short.
    const ASN1_STRING* value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    name.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                static_cast<size_t>(ASN1_STRING_length(value)));
  }
  X509_free(peer);
  return std::find(allowed_names_.begin(), allowed_names_.end(), name) != allowed_names_.end();
}

Transport::~Transport() {
  if (ssl_ != nullptr) {
    if (handshaken_ && !write_closed_) SSL_shutdown(ssl_);
    SSL_free(ssl_);
  }
  if (fd_ >= 0) close(fd_);
}

void Transport::StartTls(std::shared_ptr<TlsContext> context) {
  tls_ = std::move(context);
  ssl_ = tls_->NewSession(fd_);
}

int Transport::Release() { return std::exchange(fd_, -1); }

bool Transport::HasBuffered() const { return ssl_ != nullptr && SSL_pending(ssl_) > 0; }

long Transport::Handshake() {
  ERR_clear_error();
  int result = SSL_do_handshake(ssl_);
  if (result == 1) {
    handshaken_ = true;
    return tls_->Allows(ssl_) ? 0 : kTlsError;
  }
  int error = SSL_get_error(ssl_, result);
  read_wants_write_ = error == SSL_ERROR_WANT_WRITE;
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return kAgain;
  ERR_clear_error();
  return kTlsError;
}

long Transport::Read(char* buffer, size_t size) {
  if (tls_ == nullptr) {
    ssize_t n = recv(fd_, buffer, size, 0);
    if (n > 0) return n;
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return kAgain;
    return kClosed;
  }
  if (ssl_ == nullptr) return kTlsError;
  if (!handshaken_) {
    if (long result = Handshake(); result != 0) return result;
  }
  ERR_clear_error();
  int n = SSL_read(ssl_, buffer, static_cast<int>(size));
  if (n > 0) return n;
  int error = SSL_get_error(ssl_, n);
  read_wants_write_ = error == SSL_ERROR_WANT_WRITE;
  ERR_clear_error();
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return kAgain;
  return kClosed;
}

long Transport::Write(std::string_view data) {
  if (tls_ == nullptr) {
    ssize_t n = send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
    if (n >= 0) return n;
    return errno == EAGAIN || errno == EINTR ? kAgain : kClosed;
  }
  if (!handshaken_) return kAgain;
  ERR_clear_error();
  int n = SSL_write(ssl_, data.data(), static_cast<int>(data.size()));
  if (n > 0) return n;
  int error = SSL_get_error(ssl_, n);
  ERR_clear_error();
  return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? kAgain : kClosed;
}

long Transport::Peek(char* buffer, size_t size) {
  ssize_t n = recv(fd_, buffer, size, MSG_PEEK);
  if (n > 0) return n;
  return n < 0 && (errno == EAGAIN || errno == EINTR) ? kAgain : kClosed;
}

void Transport::CloseWrite() {
  if (handshaken_) SSL_shutdown(ssl_);
  ERR_clear_error();
  write_closed_ = true;
  shutdown(fd_, SHUT_WR);
}

long Transport::Discard(char* buffer, size_t size) {
  ssize_t n = recv(fd_, buffer, size, 0);
  if (n > 0) return n;
  return n < 0 && (errno == EAGAIN || errno == EINTR) ? kAgain : kClosed;
}

namespace {

// Reads TLS's length-prefixed vectors without ever leaving the input.
class Cursor {
 public:
  explicit Cursor(std::string_view rest) : rest_(rest) {}
  bool Skip(size_t n) {
    if (rest_.size() < n) return false;
    rest_.remove_prefix(n);
    return true;
  }
  bool Number(int bytes, size_t* out) {
    if (rest_.size() < static_cast<size_t>(bytes)) return false;
    *out = 0;
    for (int i = 0; i < bytes; ++i) *out = *out << 8 | static_cast<unsigned char>(rest_[i]);
    rest_.remove_prefix(bytes);
    return true;
  }
  bool Vector(int length_bytes, std::string_view* out) {
    size_t n;
    if (!Number(length_bytes, &n) || rest_.size() < n) return false;
    *out = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return true;
  }
  bool done() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

// The ALPN extension's list of protocols, or empty.
std::string_view AlpnExtension(std::string_view hello) {
  Cursor cursor(hello);
  std::string_view skipped, extensions;
  if (!cursor.Skip(4 + 2 + 32) || !cursor.Vector(1, &skipped) || !cursor.Vector(2, &skipped) ||
      !cursor.Vector(1, &skipped) || !cursor.Vector(2, &extensions)) {
    return {};
  }
  Cursor list(extensions);
  size_t type;
  std::string_view body;
  while (list.Number(2, &type) && list.Vector(2, &body)) {
    std::string_view protocols;
    if (type == 16 && Cursor(body).Vector(2, &protocols)) return protocols;
  }
  return {};
}

}  // namespace

AlpnOffer ClientHelloOffers(std::string_view bytes, std::string_view protocol) {
  Cursor cursor(bytes);
  size_t type, version, length;
  if (!cursor.Number(1, &type)) return AlpnOffer::kIncomplete;
  if (type != 22) return AlpnOffer::kNo;
  if (!cursor.Number(2, &version) || !cursor.Number(2, &length)) return AlpnOffer::kIncomplete;
  if (length > (16 << 10)) return AlpnOffer::kNo;
  if (bytes.size() < 5 + length) return AlpnOffer::kIncomplete;
  Cursor list(AlpnExtension(bytes.substr(5, length)));
  std::string_view name;
  while (list.Vector(1, &name)) {
    if (name == protocol) return AlpnOffer::kYes;
  }
  return AlpnOffer::kNo;
}

}  // namespace tikv::rpc
