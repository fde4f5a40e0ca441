// The engines that the conformance suite holds to one behaviour.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lib/engine/engine.h"
#include "lib/env/posix/file_system.h"

namespace tikv::engine {

// An engine in a fresh folder, removed afterwards.
class Body {
 public:
  explicit Body(const std::string& kind);  // "mem", "rocks"
  ~Body();
  Body(const Body&) = delete;
  Body& operator=(const Body&) = delete;

  KvEngine* engine() const { return engine_.get(); }
  std::string FilePath(const std::string& name) const { return JoinPath(dir_, name); }
  PosixFileSystem* fs() { return &fs_; }

 private:
  PosixFileSystem fs_;
  std::string dir_;
  std::unique_ptr<KvEngine> engine_;
};

// What is in a family, in order, as "key=value" items joined by spaces.
std::string Contents(const Reader& reader, Cf cf, const IteratorOptions& options = {});
std::string ContentsReversed(const Reader& reader, Cf cf, const IteratorOptions& options = {});

}  // namespace tikv::engine
