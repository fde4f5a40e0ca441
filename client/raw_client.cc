#include "client/raw_client.h"

#include <condition_variable>

#include "client/driver/fan_out.h"
#include "client/driver/grpc_pd.h"
#include "client/driver/grpc_stores.h"
#include "client/driver/range_walk.h"
#include "lib/env/posix/clock.h"
#include "lib/env/posix/thread_executor.h"

namespace tikv::client {
namespace {

using kvrpcpb::RawBatchDeleteRequest;
using kvrpcpb::RawBatchGetRequest;
using kvrpcpb::RawBatchPutRequest;

// Runs `start` with a callback and waits for its result.
template <class T, class Start>
T Await(Start start) {
  struct State {
    std::mutex mutex;
    std::condition_variable ready;
    std::optional<T> result;
  };
  auto state = std::make_shared<State>();  // Shared: the callback may return after we have.
  start(Callback<T>([state](T result) {
    std::lock_guard lock(state->mutex);
    state->result.emplace(std::move(result));
    state->ready.notify_one();
  }));
  std::unique_lock lock(state->mutex);
  state->ready.wait(lock, [&] { return state->result.has_value(); });
  return *std::move(state->result);
}

// How FanOut spreads the three batch calls; see there.
struct BatchGetTraits {
  using Method = RawBatchGetMethod;
  using Item = std::string;
  using Output = std::vector<KeyValue>;
  static const std::string& Key(const Item& key) { return key; }
  static size_t Size(const Item& key) { return key.size(); }
  static void Add(RawBatchGetRequest* request, const Item& key) { request->add_keys(key); }
  static void Collect(kvrpcpb::RawBatchGetResponse* response, Output* out) {
    for (auto& pair : *response->mutable_pairs()) {
      out->emplace_back(std::move(*pair.mutable_key()), std::move(*pair.mutable_value()));
    }
  }
};

struct BatchPutTraits {
  using Method = RawBatchPutMethod;
  using Item = KeyValue;
  struct Output {};
  static const std::string& Key(const Item& pair) { return pair.first; }
  static size_t Size(const Item& pair) { return pair.first.size() + pair.second.size(); }
  static void Add(RawBatchPutRequest* request, const Item& pair) {
    auto* added = request->add_pairs();
    added->set_key(pair.first);
    added->set_value(pair.second);
  }
  static void Collect(kvrpcpb::RawBatchPutResponse*, Output*) {}
};

struct BatchDeleteTraits {
  using Method = RawBatchDeleteMethod;
  using Item = std::string;
  struct Output {};
  static const std::string& Key(const Item& key) { return key; }
  static size_t Size(const Item& key) { return key.size(); }
  static void Add(RawBatchDeleteRequest* request, const Item& key) { request->add_keys(key); }
  static void Collect(kvrpcpb::RawBatchDeleteResponse*, Output*) {}
};

// How RangeWalk makes the range calls; see there.
struct ScanWalker {
  using Method = RawScanMethod;
  using Output = std::vector<KeyValue>;
  uint32_t limit;
  bool key_only, reverse;
  std::string cf;
  Output output;

  kvrpcpb::RawScanRequest Build(const RangePart& part) const {
    kvrpcpb::RawScanRequest request;
    request.set_start_key(reverse ? part.end : part.start);
    request.set_end_key(reverse ? part.start : part.end);
    request.set_limit(limit - static_cast<uint32_t>(output.size()));
    request.set_key_only(key_only);
    request.set_reverse(reverse);
    request.set_cf(cf);
    return request;
  }
  bool Take(kvrpcpb::RawScanResponse* response) {
    for (auto& pair : *response->mutable_kvs()) {
      output.emplace_back(std::move(*pair.mutable_key()), std::move(*pair.mutable_value()));
    }
    return output.size() < limit;
  }
};

struct DeleteWalker {
  using Method = RawDeleteRangeMethod;
  struct Output {};
  std::string cf;
  Output output;

  kvrpcpb::RawDeleteRangeRequest Build(const RangePart& part) const {
    kvrpcpb::RawDeleteRangeRequest request;
    request.set_start_key(part.start);
    request.set_end_key(part.end);
    request.set_cf(cf);
    return request;
  }
  bool Take(kvrpcpb::RawDeleteRangeResponse*) { return true; }
};

struct ChecksumWalker {
  using Method = RawChecksumMethod;
  using Output = RawChecksum;
  Output output;

  kvrpcpb::RawChecksumRequest Build(const RangePart& part) const {
    kvrpcpb::RawChecksumRequest request;
    request.set_algorithm(kvrpcpb::Crc64_Xor);
    auto* range = request.add_ranges();
    range->set_start_key(part.start);
    range->set_end_key(part.end);
    return request;
  }
  bool Take(kvrpcpb::RawChecksumResponse* response) {
    output.crc64_xor ^= response->checksum();
    output.total_kvs += response->total_kvs();
    output.total_bytes += response->total_bytes();
    return true;
  }
};

rpc::ChannelPoolOptions PoolOptions(const ClientOptions& options) {
  rpc::ChannelPoolOptions pool;
  pool.tls.ca_path = options.ca_path;
  pool.tls.cert_path = options.cert_path;
  pool.tls.key_path = options.key_path;
  return pool;
}

}  // namespace

// Declared in the order in which things may outlive one another: users last.
class RawClient::Impl {
 public:
  explicit Impl(ClientOptions o)
      : options(std::move(o)),
        random(static_cast<uint64_t>(clock.Wall().nanos), "client"),
        timers({.name = "client-timer"}, &clock),
        pools(MakePools(options)),
        pd_channel({.endpoints = options.pd_endpoints}, pools.front().get(), &timers, &clock),
        pd(&pd_channel, options.timeout),
        codec(options.api_version),
        locator(&pd, &codec),
        stores(Pointers(pools), &timers, &clock),
        driver{.locator = &locator,
               .stores = &stores,
               .timers = &timers,
               .clock = &clock,
               .random = &random,
               .random_mutex = &random_mutex,
               .api_version = options.api_version,
               .attempt_timeout = options.attempt_timeout} {}

  // Calls under way hold nothing but pointers to what is below: all of them must have ended before
  // any of it goes.
  ~Impl() {
    timers.Stop();   // Drops, and thereby ends, what waits for PD or for another attempt,
    stores.Close();  // what waits for a store,
    pools.clear();   // and what runs on a completion thread.
  }

  MonotonicTime Deadline(const RawOptions& o) {
    return clock.Now() + (o.timeout.count() > 0 ? o.timeout : options.timeout);
  }

  template <class Method>
  void Point(std::string key, typename Method::Request request, const RawOptions& o,
             typename PointTask<Method>::Result done) {
    std::make_shared<PointTask<Method>>(&driver, std::move(key), Deadline(o), std::move(request),
                                        std::move(done))
        ->Start();
  }

  template <class Traits>
  absl::StatusOr<typename Traits::Output> Spread(typename Traits::Method::Request base,
                                                 std::vector<typename Traits::Item> items,
                                                 const RawOptions& o) {
    return Await<absl::StatusOr<typename Traits::Output>>([&](auto done) {
      std::make_shared<FanOut<Traits>>(&driver, Deadline(o), std::move(base), std::move(done))
          ->Start(std::move(items));
    });
  }

  template <class Walker>
  absl::StatusOr<typename Walker::Output> Walk(std::string_view start, std::string_view end,
                                               bool downwards, Walker walker, const RawOptions& o) {
    return Await<absl::StatusOr<typename Walker::Output>>([&](auto done) {
      std::make_shared<RangeWalk<Walker>>(&driver, Deadline(o),
                                          RangePart{codec.Key(start), codec.RangeEnd(end)},
                                          downwards, std::move(walker), std::move(done))
          ->Start();
    });
  }

  absl::StatusOr<std::vector<KeyValue>> Scan(std::string_view start, std::string_view end,
                                             uint32_t limit, bool reverse, const RawOptions& o) {
    if (limit == 0) return std::vector<KeyValue>();
    auto pairs =
        Walk(start, end, reverse, ScanWalker{limit, o.key_only, reverse, o.column_family, {}}, o);
    if (pairs.ok()) ToUser(&*pairs);
    return pairs;
  }

  void ToUser(std::vector<KeyValue>* pairs) const {
    if (codec.version() != ApiVersion::kV2) return;
    for (KeyValue& pair : *pairs) pair.first = codec.User(pair.first);
  }

  std::vector<std::string> WireKeys(const std::vector<std::string>& keys) const {
    std::vector<std::string> wire;
    wire.reserve(keys.size());
    for (const std::string& key : keys) wire.push_back(codec.Key(key));
    std::sort(wire.begin(), wire.end());
    wire.erase(std::unique(wire.begin(), wire.end()), wire.end());
    return wire;
  }

  static std::vector<std::unique_ptr<rpc::ChannelPool>> MakePools(const ClientOptions& options) {
    std::vector<std::unique_ptr<rpc::ChannelPool>> pools;
    for (int i = 0; i < std::max(1, options.connections_per_store); ++i) {
      pools.push_back(std::make_unique<rpc::ChannelPool>(PoolOptions(options)));
    }
    return pools;
  }
  static std::vector<rpc::ChannelPool*> Pointers(
      const std::vector<std::unique_ptr<rpc::ChannelPool>>& pools) {
    std::vector<rpc::ChannelPool*> pointers;
    for (const auto& pool : pools) pointers.push_back(pool.get());
    return pointers;
  }

  const ClientOptions options;
  PosixClock clock;
  std::mutex random_mutex;
  Random random;
  ThreadExecutor timers;
  std::vector<std::unique_ptr<rpc::ChannelPool>> pools;
  pdchannel::PdChannel pd_channel;
  GrpcPd pd;
  RawCodec codec;
  Locator locator;
  GrpcStores stores;
  DriverContext driver;
};

RawClient::RawClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RawClient::~RawClient() = default;

absl::StatusOr<std::unique_ptr<RawClient>> RawClient::Connect(ClientOptions options) {
  if (options.pd_endpoints.empty()) return InvalidArgument("no PD endpoint given");
  auto impl = std::make_unique<Impl>(std::move(options));
  const absl::Status found = Await<absl::Status>([&](auto done) {
    impl->pd_channel.WaitForLeader(impl->options.connect_timeout, std::move(done));
  });
  if (!found.ok()) return Unavailable("no PD member answers: {}", Message(found));
  return std::unique_ptr<RawClient>(new RawClient(std::move(impl)));
}

uint64_t RawClient::cluster_id() const { return impl_->pd_channel.cluster_id().value; }

void RawClient::GetAsync(std::string key, RawOptions o,
                         Callback<absl::StatusOr<std::optional<std::string>>> done) {
  kvrpcpb::RawGetRequest request;
  std::string wire = impl_->codec.Key(key);
  request.set_key(wire);
  request.set_cf(o.column_family);
  impl_->Point<RawGetMethod>(
      std::move(wire), std::move(request), o,
      [done = std::move(done)](absl::StatusOr<kvrpcpb::RawGetResponse> response) mutable {
        if (!response.ok()) return std::move(done)(response.status());
        if (response->not_found()) return std::move(done)(std::nullopt);
        std::move(done)(std::move(*response->mutable_value()));
      });
}

void RawClient::PutAsync(std::string key, std::string value, RawOptions o,
                         Callback<absl::Status> done) {
  kvrpcpb::RawPutRequest request;
  std::string wire = impl_->codec.Key(key);
  request.set_key(wire);
  request.set_value(std::move(value));
  request.set_cf(o.column_family);
  request.set_ttl(static_cast<uint64_t>(o.ttl.count()));
  request.set_for_cas(o.atomic);
  impl_->Point<RawPutMethod>(
      std::move(wire), std::move(request), o,
      [done = std::move(done)](const absl::StatusOr<kvrpcpb::RawPutResponse>& response) mutable {
        std::move(done)(response.status());
      });
}

absl::StatusOr<std::optional<std::string>> RawClient::Get(std::string_view key,
                                                          const RawOptions& o) {
  return Await<absl::StatusOr<std::optional<std::string>>>(
      [&](auto done) { GetAsync(std::string(key), o, std::move(done)); });
}

absl::Status RawClient::Put(std::string_view key, std::string_view value, const RawOptions& o) {
  return Await<absl::Status>(
      [&](auto done) { PutAsync(std::string(key), std::string(value), o, std::move(done)); });
}

absl::Status RawClient::Delete(std::string_view key, const RawOptions& o) {
  kvrpcpb::RawDeleteRequest request;
  std::string wire = impl_->codec.Key(key);
  request.set_key(wire);
  request.set_cf(o.column_family);
  request.set_for_cas(o.atomic);
  return Await<absl::StatusOr<kvrpcpb::RawDeleteResponse>>([&](auto done) {
           impl_->Point<RawDeleteMethod>(std::move(wire), std::move(request), o, std::move(done));
         })
      .status();
}

absl::StatusOr<std::vector<KeyValue>> RawClient::BatchGet(const std::vector<std::string>& keys,
                                                          const RawOptions& o) {
  RawBatchGetRequest base;
  base.set_cf(o.column_family);
  auto pairs = impl_->Spread<BatchGetTraits>(std::move(base), impl_->WireKeys(keys), o);
  if (!pairs.ok()) return pairs;
  impl_->ToUser(&*pairs);
  std::sort(pairs->begin(), pairs->end());  // Regions answer in any order.
  return pairs;
}

absl::Status RawClient::BatchPut(const std::vector<KeyValue>& pairs, const RawOptions& o) {
  std::vector<KeyValue> wire;
  wire.reserve(pairs.size());
  for (const KeyValue& pair : pairs) wire.emplace_back(impl_->codec.Key(pair.first), pair.second);
  // Stable: of two values for one key the later one must win, as in a loop of puts.
  std::stable_sort(wire.begin(), wire.end(),
                   [](const KeyValue& a, const KeyValue& b) { return a.first < b.first; });
  RawBatchPutRequest base;
  base.set_cf(o.column_family);
  base.set_for_cas(o.atomic);
  if (o.ttl.count() > 0) base.add_ttls(static_cast<uint64_t>(o.ttl.count()));
  return impl_->Spread<BatchPutTraits>(std::move(base), std::move(wire), o).status();
}

absl::Status RawClient::BatchDelete(const std::vector<std::string>& keys, const RawOptions& o) {
  RawBatchDeleteRequest base;
  base.set_cf(o.column_family);
  base.set_for_cas(o.atomic);
  return impl_->Spread<BatchDeleteTraits>(std::move(base), impl_->WireKeys(keys), o).status();
}

absl::StatusOr<std::vector<KeyValue>> RawClient::Scan(std::string_view start, std::string_view end,
                                                      uint32_t limit, const RawOptions& o) {
  return impl_->Scan(start, end, limit, /*reverse=*/false, o);
}

absl::StatusOr<std::vector<KeyValue>> RawClient::ReverseScan(std::string_view start,
                                                             std::string_view end, uint32_t limit,
                                                             const RawOptions& o) {
  return impl_->Scan(start, end, limit, /*reverse=*/true, o);
}

absl::Status RawClient::DeleteRange(std::string_view start, std::string_view end,
                                    const RawOptions& o) {
  return impl_->Walk(start, end, /*downwards=*/false, DeleteWalker{o.column_family, {}}, o)
      .status();
}

absl::StatusOr<RawChecksum> RawClient::Checksum(std::string_view start, std::string_view end,
                                                const RawOptions& o) {
  return impl_->Walk(start, end, /*downwards=*/false, ChecksumWalker{}, o);
}

absl::StatusOr<SwapResult> RawClient::CompareAndSwap(std::string_view key,
                                                     std::optional<std::string> expected,
                                                     std::string_view value, const RawOptions& o) {
  kvrpcpb::RawCASRequest request;
  std::string wire = impl_->codec.Key(key);
  request.set_key(wire);
  request.set_value(std::string(value));
  request.set_cf(o.column_family);
  request.set_ttl(static_cast<uint64_t>(o.ttl.count()));
  request.set_previous_not_exist(!expected.has_value());
  if (expected.has_value()) request.set_previous_value(*std::move(expected));
  auto response = Await<absl::StatusOr<kvrpcpb::RawCASResponse>>([&](auto done) {
    impl_->Point<RawCompareAndSwapMethod>(std::move(wire), std::move(request), o, std::move(done));
  });
  if (!response.ok()) return response.status();
  SwapResult result{.swapped = response->succeed()};
  if (!response->previous_not_exist())
    result.previous = std::move(*response->mutable_previous_value());
  return result;
}

absl::StatusOr<std::optional<std::chrono::seconds>> RawClient::GetKeyTtl(std::string_view key,
                                                                         const RawOptions& o) {
  kvrpcpb::RawGetKeyTTLRequest request;
  std::string wire = impl_->codec.Key(key);
  request.set_key(wire);
  request.set_cf(o.column_family);
  auto response = Await<absl::StatusOr<kvrpcpb::RawGetKeyTTLResponse>>([&](auto done) {
    impl_->Point<RawGetKeyTTLMethod>(std::move(wire), std::move(request), o, std::move(done));
  });
  if (!response.ok()) return response.status();
  if (response->not_found()) return std::optional<std::chrono::seconds>();
  return std::optional<std::chrono::seconds>(response->ttl());
}

}  // namespace tikv::client
