// KvEngine in memory, for simulation and unit tests.
#pragma once

#include <memory>

#include "lib/engine/engine.h"
#include "lib/env/file_system.h"

namespace tikv::engine {

// Empty; gone when destroyed.  SST files are written to and read from `fs`, which outlives it.
std::unique_ptr<KvEngine> NewMemEngine(FileSystem* fs);

}  // namespace tikv::engine
