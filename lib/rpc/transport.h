// A connected, non-blocking socket, plain or under TLS.
#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "lib/rpc/options.h"

typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;

namespace tikv::rpc {

// The server's certificate and rules for peers.  Immutable, shared by connections.
class TlsContext {
 public:
  static absl::StatusOr<std::shared_ptr<TlsContext>> Load(const TlsFiles& files);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  SSL* NewSession(int fd) const;
  // Whether the peer's certificate may be served.
  bool Allows(SSL* ssl) const;

 private:
  explicit TlsContext(SSL_CTX* context, std::vector<std::string> allowed_names)
      : context_(context), allowed_names_(std::move(allowed_names)) {}
  SSL_CTX* context_;
  std::vector<std::string> allowed_names_;
};

// Owns the socket.  Not thread-safe.
class Transport {
 public:
  explicit Transport(int fd) : fd_(fd) {}
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // From here on TLS.  The handshake happens in Read.
  void StartTls(std::shared_ptr<TlsContext> context);

  // Bytes, or one of these.
  static constexpr long kAgain = -1;
  static constexpr long kClosed = -2;    // By the peer, or broken.
  static constexpr long kTlsError = -3;  // Handshake failed or refused.
  long Read(char* buffer, size_t size);
  long Write(std::string_view data);
  // What is in the socket, without taking it; plain only.
  long Peek(char* buffer, size_t size);
  // Says that nothing follows.  Reading goes on, but only by Discard.
  void CloseWrite();
  // Takes bytes from the socket as they are, also under TLS.
  long Discard(char* buffer, size_t size);
  // TLS wants to write in order to go on reading.
  bool read_wants_write() const { return read_wants_write_; }
  // Decrypted bytes that no readiness event will announce.
  bool HasBuffered() const;

  int fd() const { return fd_; }
  int Release();  // Gives the socket away.

 private:
  long Handshake();

  int fd_;
  SSL* ssl_ = nullptr;
  std::shared_ptr<TlsContext> tls_;
  bool handshaken_ = false;
  bool write_closed_ = false;
  bool read_wants_write_ = false;
};

// Whether a TLS ClientHello offers `protocol` by ALPN.  kIncomplete: needs more bytes.
enum class AlpnOffer { kYes, kNo, kIncomplete };
AlpnOffer ClientHelloOffers(std::string_view bytes, std::string_view protocol);

}  // namespace tikv::rpc
