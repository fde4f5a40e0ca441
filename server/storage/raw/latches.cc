#include "server/storage/raw/latches.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace tikv::server {

Latches::Guard& Latches::Guard::operator=(Guard&& other) noexcept {
  Release();
  latches_ = std::exchange(other.latches_, nullptr);
  command_ = std::move(other.command_);
  return *this;
}

void Latches::Guard::Release() {
  if (Latches* latches = std::exchange(latches_, nullptr); latches != nullptr) {
    latches->Release(command_.get());
  }
  command_.reset();
}

bool Latches::Acquire(const std::vector<std::string_view>& keys, Callback<Guard>&& granted) {
  auto command = std::make_shared<Command>();
  for (std::string_view key : keys) {
    command->slots.push_back(static_cast<uint32_t>(std::hash<std::string_view>()(key) % kSlots));
  }
  std::sort(command->slots.begin(), command->slots.end());
  command->slots.erase(std::unique(command->slots.begin(), command->slots.end()),
                       command->slots.end());

  std::unique_lock lock(mutex_);
  for (uint32_t slot : command->slots) {
    if (!slots_[slot].empty()) ++command->missing;
  }
  if (command->missing > 0 && waiting_ >= max_waiting_) return false;
  for (uint32_t slot : command->slots) slots_[slot].push_back(command);
  if (command->missing > 0) {
    command->granted = std::move(granted);
    ++waiting_;
    return true;
  }
  lock.unlock();
  std::move(granted)(Guard(this, std::move(command)));
  return true;
}

void Latches::Release(Command* command) {
  std::unique_lock lock(mutex_);
  for (uint32_t slot : command->slots) {
    auto& queue = slots_[slot];
    queue.pop_front();
    if (queue.empty()) continue;
    if (--queue.front()->missing == 0) {
      --waiting_;
      ready_.push_back(queue.front());
    }
  }
  RunReady(std::move(lock));
}

// A granted command may release at once (a failed comparison); then it only queues its successor
// here, so that a long queue does not become a deep stack.
void Latches::RunReady(std::unique_lock<std::mutex> lock) {
  if (running_) return;
  running_ = true;
  while (!ready_.empty()) {
    std::shared_ptr<Command> next = std::move(ready_.front());
    ready_.pop_front();
    lock.unlock();
    Callback<Guard> granted = std::move(next->granted);
    std::move(granted)(Guard(this, std::move(next)));
    lock.lock();
  }
  running_ = false;
}

}  // namespace tikv::server
