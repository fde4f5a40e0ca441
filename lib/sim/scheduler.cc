#include "lib/sim/scheduler.h"

#include "lib/base/check.h"

namespace tikv::sim {

struct Scheduler::State {
  ManualClock* clock;
  Random random;
  std::vector<Strand*> strands;  // In order of creation: the seed decides, never an address.
  Strand* running = nullptr;
  uint64_t last_timer = 0;
};

class Scheduler::Strand final : public Executor {
 public:
  Strand(State* state, std::string name, size_t max_queued)
      : state_(state), name_(std::move(name)), max_queued_(max_queued) {
    state_->strands.push_back(this);
  }
  ~Strand() override {
    CHECK(state_->running != this) << "strand " << name_ << " is destroyed by its own task";
    std::erase(state_->strands, this);
  }
  Strand(const Strand&) = delete;
  Strand& operator=(const Strand&) = delete;

  void Post(Task task) override { queue_.push_back(std::move(task)); }
  bool TryPost(Task&& task) override {
    if (queue_.size() >= max_queued_) return false;
    Post(std::move(task));
    return true;
  }
  TimerId PostAfter(Duration delay, Task task) override {
    const uint64_t id = ++state_->last_timer;
    timers_.emplace(std::pair(state_->clock->Now() + delay, id), std::move(task));
    return TimerId{id};
  }
  bool Cancel(TimerId id) override {
    for (auto it = timers_.begin(); it != timers_.end(); ++it) {
      if (it->first.second != static_cast<uint64_t>(id)) continue;
      const Task task = std::move(it->second);  // May own anything, even this strand's users.
      timers_.erase(it);
      return true;
    }
    return false;
  }
  bool InThread() const override { return state_->running == this; }

  MonotonicTime next_timer() const {
    return timers_.empty() ? MonotonicTime::Max() : timers_.begin()->first.first;
  }
  bool ready() const { return !queue_.empty() || next_timer() <= state_->clock->Now(); }

  void RunOne() {
    // Of a due timer and a queued task either may come first.
    const bool due = next_timer() <= state_->clock->Now();
    const bool take_timer = due && (queue_.empty() || state_->random.OneIn(2));
    Task task;
    if (take_timer) {
      task = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
    } else {
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    state_->running = this;
    std::move(task)();
    task = nullptr;
    state_->running = nullptr;
  }

 private:
  State* const state_;
  const std::string name_;
  const size_t max_queued_;
  std::deque<Task> queue_;
  std::map<std::pair<MonotonicTime, uint64_t>, Task> timers_;
};

Scheduler::Scheduler(ManualClock* clock, Random random)
    : state_(new State{.clock = clock, .random = random}) {}

Scheduler::~Scheduler() { CHECK(state_->strands.empty()) << "strands outlive their scheduler"; }

std::unique_ptr<Executor> Scheduler::NewStrand(std::string name, size_t max_queued) {
  return std::make_unique<Strand>(state_.get(), std::move(name), max_queued);
}

bool Scheduler::Step() {
  std::vector<Strand*> ready;
  for (Strand* strand : state_->strands) {
    if (strand->ready()) ready.push_back(strand);
  }
  if (ready.empty()) return false;
  ready[state_->random.Uniform(ready.size())]->RunOne();
  return true;
}

void Scheduler::RunReady() {
  while (Step()) {
  }
}

bool Scheduler::JumpToTimer(MonotonicTime end) {
  MonotonicTime next = MonotonicTime::Max();
  for (const Strand* strand : state_->strands) next = std::min(next, strand->next_timer());
  if (next > end) return false;
  const MonotonicTime now = state_->clock->Now();
  if (next > now) state_->clock->Advance(next - now);
  return true;
}

void Scheduler::RunFor(Duration d) {
  const MonotonicTime end = state_->clock->Now() + d;
  do {
    RunReady();
  } while (JumpToTimer(end));
  state_->clock->Advance(end - state_->clock->Now());
  RunReady();
}

bool Scheduler::RunUntil(const std::function<bool()>& done, Duration limit) {
  const MonotonicTime end = state_->clock->Now() + limit;
  while (!done()) {
    if (!Step() && !JumpToTimer(end)) return false;
  }
  return true;
}

}  // namespace tikv::sim
