#include "lib/raftlog/log_index.h"

#include <algorithm>

#include "lib/base/check.h"

namespace tikv::raftlog {

void Group::Append(uint64_t index, const EntryRef& ref) {
  if (!CanAppend(index)) {  // Replay only: a front that we have not seen.
    entries_.clear();
    head_ = 0;
    first_ = index;
  }
  entries_.resize(head_ + (index - first_));  // An existing entry goes, with all after it.
  entries_.push_back(ref);
}

void Group::DropFront(uint64_t count) {
  constexpr size_t kWorthErasing = 64;
  head_ += count;
  first_ += count;
  if (head_ < kWorthErasing || head_ < entries_.size() / 2) return;
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<ptrdiff_t>(head_));
  head_ = 0;
  if (entries_.capacity() > 4 * (entries_.size() + kWorthErasing)) entries_.shrink_to_fit();
}

void Group::Compact(uint64_t index, uint64_t term, uint32_t segment) {
  if (index < truncated_index || (index == truncated_index && truncated_segment != 0)) return;
  truncated_index = index;
  truncated_term = term;
  truncated_segment = segment;
  if (index + 1 < first_) return;  // Replay only.
  if (index >= last_index()) {
    entries_.clear();
    head_ = 0;
    first_ = index + 1;
  } else {
    DropFront(index + 1 - first_);
  }
}

uint32_t Group::OldestSegment() const {
  uint32_t oldest = UINT32_MAX;
  const auto consider = [&oldest](uint32_t segment) {
    if (segment != 0) oldest = std::min(oldest, segment);
  };
  consider(hard_state_segment);
  consider(truncated_segment);
  for (const auto& [key, value] : values) consider(value.segment);
  // Later entries are never in an earlier segment: whole groups are moved, or nothing.
  if (entry_count() > 0) consider(entries_[head_].segment);
  return oldest;
}

class LogIndex::Applier final : public ItemVisitor {
 public:
  Applier(std::unordered_map<GroupId, Group>* groups, std::string_view record, uint32_t segment,
          uint64_t offset, Mode mode)
      : groups_(groups), record_(record), segment_(segment), offset_(offset), mode_(mode) {}

  void Entry(GroupId id, uint64_t index, uint64_t term, std::string_view data) override {
    Group& group = Get(id);
    CHECK(mode_ == Mode::kReplay || group.CanAppend(index))
        << "group " << id << " appends entry " << index << " to [" << group.first_index() << ", "
        << group.last_index() << "]";
    const auto place = offset_ + static_cast<uint64_t>(data.data() - record_.data());
    group.Append(index, {.term = term,
                         .segment = segment_,
                         .offset = static_cast<uint32_t>(place),
                         .size = static_cast<uint32_t>(data.size()),
                         .checksum = EntryChecksum(data)});
  }
  void State(GroupId id, const HardState& state) override {
    Group& group = Get(id);
    group.hard_state = state;
    group.hard_state_segment = segment_;
  }
  void Key(GroupId id, std::string_view key, std::string_view value) override {
    Group& group = Get(id);
    auto it = group.values.find(key);
    if (it == group.values.end()) it = group.values.try_emplace(std::string(key)).first;
    it->second.bytes.assign(value);
    it->second.segment = segment_;
  }
  void DeleteKey(GroupId id, std::string_view key) override {
    Group& group = Get(id);
    const auto it = group.values.find(key);
    if (it != group.values.end()) group.values.erase(it);
  }
  void Compact(GroupId id, uint64_t index, uint64_t term) override {
    Get(id).Compact(index, term, segment_);
  }
  void Remove(GroupId id) override {
    groups_->erase(id);
    last_ = nullptr;
  }

 private:
  // Items of one group mostly follow each other.
  Group& Get(GroupId id) {
    if (last_ == nullptr || last_id_ != id) {
      last_ = &(*groups_)[id];
      last_id_ = id;
    }
    return *last_;
  }

  std::unordered_map<GroupId, Group>* const groups_;
  const std::string_view record_;
  const uint32_t segment_;
  const uint64_t offset_;
  const Mode mode_;
  Group* last_ = nullptr;
  GroupId last_id_ = 0;
};

bool LogIndex::Apply(std::string_view record, uint32_t segment, uint64_t offset, Mode mode) {
  Applier applier(&groups_, record, segment, offset, mode);
  return VisitItems(record.substr(kRecordHeaderSize), &applier);
}

const Group* LogIndex::Find(GroupId group) const {
  const auto it = groups_.find(group);
  return it == groups_.end() ? nullptr : &it->second;
}

std::vector<GroupId> LogIndex::Ids() const {
  std::vector<GroupId> ids;
  ids.reserve(groups_.size());
  for (const auto& [id, group] : groups_) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

uint64_t LogIndex::entry_count() const {
  uint64_t count = 0;
  for (const auto& [id, group] : groups_) count += group.entry_count();
  return count;
}

std::optional<GroupId> LogIndex::FindGap() const {
  for (const GroupId id : Ids()) {
    if (groups_.at(id).has_gap()) return id;
  }
  return std::nullopt;
}

}  // namespace tikv::raftlog
