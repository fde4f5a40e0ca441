// Schedulers: what would make the cluster as a whole better balanced.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "pd/schedule/controller.h"
#include "pd/schedule/operator.h"
#include "pd/schedule/view.h"

namespace tikv::pd {

// One policy.  Pure: looks at a view, returns operators.  Its settings are a JSON document that
// the admin API shows and changes and that is persisted by name.
class Scheduler {
 public:
  using Json = nlohmann::ordered_json;
  virtual ~Scheduler() = default;

  // "balance-leader-scheduler"
  virtual std::string name() const = 0;
  // "balance-leader"
  virtual std::string type() const = 0;
  // At most a handful; empty when all is well or the limits are reached.
  virtual std::vector<Operator> Schedule(const ClusterView& view,
                                         const OperatorController& running) = 0;

  virtual Json ConfigJson() const;
  // Changes some items.  InvalidArgument with the original's text.
  virtual absl::Status Configure(const Json& items);
  // Restores what ConfigJson gave; ignores what does not fit.
  virtual void Load(const Json& config);

  // Schedulers that act on chosen stores (evict-leader, grant-leader).
  virtual bool PerStore() const { return false; }
  virtual std::vector<StoreId> Stores() const { return {}; }
  virtual void AddStore(StoreId store) {}
  // False when it does not act on the store.
  virtual bool RemoveStore(StoreId store) { return false; }
};

// Moves leaders from the stores with most to those with fewest.
class BalanceLeader : public Scheduler {
 public:
  std::string name() const override { return "balance-leader-scheduler"; }
  std::string type() const override { return "balance-leader"; }
  std::vector<Operator> Schedule(const ClusterView& view,
                                 const OperatorController& running) override;
  Json ConfigJson() const override;
  absl::Status Configure(const Json& items) override;
  void Load(const Json& config) override;

 private:
  int batch_ = 4;
};

// Moves peers from the stores with the highest region score to those with the lowest.
class BalanceRegion : public Scheduler {
 public:
  std::string name() const override { return "balance-region-scheduler"; }
  std::string type() const override { return "balance-region"; }
  std::vector<Operator> Schedule(const ClusterView& view,
                                 const OperatorController& running) override;
};

// Takes the lead of write-hot regions away from the store that writes most.
class BalanceHotRegion : public Scheduler {
 public:
  BalanceHotRegion();
  ~BalanceHotRegion() override;
  std::string name() const override { return "balance-hot-region-scheduler"; }
  std::string type() const override { return "hot-region"; }
  std::vector<Operator> Schedule(const ClusterView& view,
                                 const OperatorController& running) override;
  Json ConfigJson() const override;
  absl::Status Configure(const Json& items) override;
  void Load(const Json& config) override;

 private:
  std::unique_ptr<Json> config_;
};

// Empties chosen stores of leaders and keeps them empty.
class EvictLeader : public Scheduler {
 public:
  std::string name() const override { return "evict-leader-scheduler"; }
  std::string type() const override { return "evict-leader"; }
  std::vector<Operator> Schedule(const ClusterView& view,
                                 const OperatorController& running) override;
  Json ConfigJson() const override;
  absl::Status Configure(const Json& items) override;
  void Load(const Json& config) override;
  bool PerStore() const override { return true; }
  std::vector<StoreId> Stores() const override { return stores_; }
  void AddStore(StoreId store) override;
  bool RemoveStore(StoreId store) override;

 private:
  std::vector<StoreId> stores_;
  int batch_ = 3;
};

// Gathers on chosen stores the lead of all regions that have a peer there.
class GrantLeader : public Scheduler {
 public:
  std::string name() const override { return "grant-leader-scheduler"; }
  std::string type() const override { return "grant-leader"; }
  std::vector<Operator> Schedule(const ClusterView& view,
                                 const OperatorController& running) override;
  Json ConfigJson() const override;
  void Load(const Json& config) override;
  bool PerStore() const override { return true; }
  std::vector<StoreId> Stores() const override { return stores_; }
  void AddStore(StoreId store) override;
  bool RemoveStore(StoreId store) override;

 private:
  std::vector<StoreId> stores_;
};

// Evicts the leaders of the one store that reports itself as very slow, until it has recovered.
class EvictSlowStore : public Scheduler {
 public:
  std::string name() const override { return "evict-slow-store-scheduler"; }
  std::string type() const override { return "evict-slow-store"; }
  std::vector<Operator> Schedule(const ClusterView& view,
                                 const OperatorController& running) override;
  Json ConfigJson() const override;
  std::vector<StoreId> Stores() const override;

 private:
  StoreId evicted_;
  int64_t recovered_since_ms_ = 0;
  int64_t recovery_s_ = 1800;
};

// Moves leaders about at random; for tests of a cluster's patience.
class ShuffleLeader : public Scheduler {
 public:
  std::string name() const override { return "shuffle-leader-scheduler"; }
  std::string type() const override { return "shuffle-leader"; }
  std::vector<Operator> Schedule(const ClusterView& view,
                                 const OperatorController& running) override;
};

// By the admin API's name ("evict-leader-scheduler"); nullptr for an unknown one.
std::unique_ptr<Scheduler> NewScheduler(std::string_view name);
// Those of a new cluster, as names.
const std::vector<std::string>& DefaultSchedulers();

// Up to `batch` leaders of `store` to whichever fit peer is least loaded.
std::vector<Operator> EvictLeaders(const ClusterView& view, const OperatorController& running,
                                   StoreId store, int batch, const std::string& desc);

}  // namespace tikv::pd
