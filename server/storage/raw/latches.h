// Latches: makes read-then-write commands on the same keys take turns within this store.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "lib/base/callback.h"

namespace tikv::server {

// Keys share a fixed number of slots by hash; commands wait per slot in the order they came, and
// take all their slots at once or in turn without deadlock (each queues in every slot under one
// lock, so the order is the same everywhere).  Thread-safe.
class Latches {
 public:
  explicit Latches(size_t max_waiting = 50'000) : max_waiting_(max_waiting) {}
  Latches(const Latches&) = delete;
  Latches& operator=(const Latches&) = delete;

 private:
  struct Command;

 public:
  // Holds the latches of one command; released by its destructor.  Movable; must not outlive the
  // Latches.
  class Guard {
   public:
    Guard() = default;
    Guard(Guard&& other) noexcept
        : latches_(std::exchange(other.latches_, nullptr)), command_(std::move(other.command_)) {}
    Guard& operator=(Guard&& other) noexcept;
    ~Guard() { Release(); }
    void Release();

   private:
    friend class Latches;
    Guard(Latches* latches, std::shared_ptr<Command> command)
        : latches_(latches), command_(std::move(command)) {}
    Latches* latches_ = nullptr;
    std::shared_ptr<Command> command_;
  };

  // Calls `granted` once every key is latched: inside this call, or on the thread that releases
  // the last one in the way.  False, and `granted` untouched, when too many commands wait.
  bool Acquire(const std::vector<std::string_view>& keys, Callback<Guard>&& granted);

 private:
  static constexpr size_t kSlots = 2048;

  struct Command {
    std::vector<uint32_t> slots;  // Ascending, distinct.
    size_t missing = 0;           // Slots at whose head we do not stand yet.
    Callback<Guard> granted;
  };

  void Release(Command* command);
  void RunReady(std::unique_lock<std::mutex> lock);

  const size_t max_waiting_;
  std::mutex mutex_;
  // Guarded by mutex_.
  std::array<std::deque<std::shared_ptr<Command>>, kSlots> slots_;
  std::deque<std::shared_ptr<Command>> ready_;
  bool running_ = false;  // Some thread empties ready_.
  size_t waiting_ = 0;
};

}  // namespace tikv::server
