// Channels and servers under TLS, and certificates that are replaced while both run.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <filesystem>
#include <memory>

#include "lib/rpc/testing.h"

namespace tikv::rpc {
namespace {

using Key = std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)>;
using Certificate = std::unique_ptr<X509, void (*)(X509*)>;

struct Pair {
  Key key{EVP_EC_gen("P-256"), EVP_PKEY_free};
  Certificate certificate{X509_new(), X509_free};
};

void Extend(X509* certificate, int nid, const char* value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// For 127.0.0.1, signed by `issuer`, or by itself as an authority.
Pair Issue(const char* name, const Pair* issuer) {
  Pair made;
  X509* x = made.certificate.get();
  X509_set_version(x, 2);
  static long serial = 0;
  ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(x), -3600);
  X509_gmtime_adj(X509_getm_notAfter(x), 3600);
  X509_set_pubkey(x, made.key.get());
  X509_NAME* subject = X509_get_subject_name(x);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  X509_set_issuer_name(
      x, issuer == nullptr ? subject : X509_get_subject_name(issuer->certificate.get()));
  if (issuer == nullptr) {
    Extend(x, NID_basic_constraints, "critical,CA:TRUE");
  } else {
    Extend(x, NID_subject_alt_name, "IP:127.0.0.1");
  }
  X509_sign(x, issuer == nullptr ? made.key.get() : issuer->key.get(), EVP_sha256());
  return made;
}

class TlsTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/rpc-tls-XXXXXX";
    dir_ = mkdtemp(pattern);
    files_ = {dir_ + "/ca.pem", dir_ + "/cert.pem", dir_ + "/key.pem", {}};
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  // A new authority and what it signed, into the files.
  void Replace(const char* authority) {
    const Pair ca = Issue(authority, nullptr);
    const Pair own = Issue("tikv", &ca);
    Write(files_.ca_path, [&](BIO* b) { PEM_write_bio_X509(b, ca.certificate.get()); });
    Write(files_.key_path, [&](BIO* b) {
      PEM_write_bio_PrivateKey(b, own.key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
    Write(files_.cert_path, [&](BIO* b) { PEM_write_bio_X509(b, own.certificate.get()); });
  }
  template <class F>
  void Write(const std::string& path, F write) {
    BIO* bio = BIO_new_file(path.c_str(), "w");
    write(bio);
    BIO_free(bio);
  }
  void Serve(ServerOptions options) {
    options.tls = files_;
    server_ = std::make_unique<Server>(options);
    server_->RegisterUnary("/t.T/Echo", [](UnaryCall& call, RawResponder responder) {
      responder.Reply(call.TakeRequest());
    });
    absl::StatusOr<int> port = server_->Listen("127.0.0.1:0");
    ASSERT_TRUE(port.ok()) << port.status();
    address_ = fmt::format("127.0.0.1:{}", *port);
  }
  absl::Status Echo(ChannelPool& pool) {
    const std::string text(100'000, 'x');
    auto echoed =
        pool.Get(address_)->UnaryAndWait("/t.T/Echo", text, {.timeout = std::chrono::seconds(20)});
    if (echoed.ok()) {
      EXPECT_EQ(*echoed, text);
    }
    return echoed.status();
  }

  std::string dir_;
  TlsFiles files_;
  std::unique_ptr<Server> server_;
  std::string address_;
};

TEST_F(TlsTest, BothSidesShowTheirCertificates) {
  Replace("one");
  files_.allowed_names = {"tikv"};
  Serve({});
  ChannelPool pool({.tls = files_});
  EXPECT_EQ(Echo(pool), absl::OkStatus());
  ChannelPool nameless({.tls = {.ca_path = files_.ca_path}});
  EXPECT_TRUE(absl::IsUnavailable(Echo(nameless)));
  ChannelPool plain;
  EXPECT_TRUE(absl::IsUnavailable(Echo(plain)));
  EXPECT_GE(server_->stats().tls_errors, 2u);
}

// Connections are made anew all the time here, and each has the certificates of its time.
TEST_F(TlsTest, ReplacedCertificatesAreTakenUp) {
  Replace("one");
  Awaited<bool> reloaded;
  Serve({.on_tls_reload =
             [&](const absl::Status& s) {
               if (s.ok()) reloaded.Set(true);
             },
         .limits = {.max_age = std::chrono::milliseconds(50)}});
  ChannelPool pool({.tls = files_});
  ASSERT_EQ(Echo(pool), absl::OkStatus());
  Replace("two");
  // The two sides look at different moments; in between they do not know each other.
  while (!reloaded.WaitFor(std::chrono::milliseconds(10))) (void)Echo(pool);
  absl::Status last;
  for (int i = 0; i < 500; ++i) {
    last = Echo(pool);
    if (last.ok()) break;
    pool.Get(address_)->ResetBackoff();
    usleep(20'000);
  }
  EXPECT_EQ(last, absl::OkStatus());
  EXPECT_GE(server_->stats().tls_reloads, 1u);
}

TEST_F(TlsTest, UnusableFilesAreNamedAtTheStart) {
  Server server({.tls = files_});
  absl::Status s = server.Listen("127.0.0.1:0").status();
  EXPECT_NE(s.message().find("cert.pem"), std::string::npos) << s;
}

}  // namespace
}  // namespace tikv::rpc
