#include "pd/node/config.h"

#include <gtest/gtest.h>

namespace tikv::pd {
namespace {

TEST(NodeConfig, SchemeAndCertificateMustAgree) {
  NodeConfig plain;
  EXPECT_TRUE(plain.Validate().ok());
  plain.client_urls = "https://127.0.0.1:2379";
  EXPECT_NE(std::string(plain.Validate().message()).find("needs security.cert-path"),
            std::string::npos);

  NodeConfig secure;
  secure.security.cert_path = "cert.pem";
  EXPECT_FALSE(secure.Validate().ok()) << "a certificate without its key";
  secure.security.key_path = "key.pem";
  EXPECT_NE(std::string(secure.Validate().message()).find("has to begin with https://"),
            std::string::npos);
  secure.client_urls = "https://127.0.0.1:2379";
  secure.peer_urls = "https://127.0.0.1:2380";
  EXPECT_TRUE(secure.Validate().ok());
  secure.advertise_client_urls = "http://pd:2379";
  EXPECT_FALSE(secure.Validate().ok());
}

}  // namespace
}  // namespace tikv::pd
