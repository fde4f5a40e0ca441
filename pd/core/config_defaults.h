// The defaults of the run-time configuration, as PD shows them.
#pragma once

namespace tikv::pd {

// Some switches are the strings "true" and "false": that is how the original renders them.
inline constexpr char kDefaultConfig[] = R"json({
  "schedule": {
    "max-snapshot-count": 64,
    "max-pending-peer-count": 64,
    "max-merge-region-size": 54,
    "max-merge-region-keys": 0,
    "split-merge-interval": "1h0m0s",
    "switch-witness-interval": "1h0m0s",
    "enable-one-way-merge": "false",
    "enable-cross-table-merge": "true",
    "patrol-region-interval": "10ms",
    "patrol-region-worker-count": 1,
    "max-store-down-time": "30m0s",
    "max-store-preparing-time": "48h0m0s",
    "leader-schedule-limit": 4,
    "leader-schedule-policy": "count",
    "region-schedule-limit": 2048,
    "witness-schedule-limit": 4,
    "replica-schedule-limit": 64,
    "merge-schedule-limit": 8,
    "affinity-schedule-limit": 0,
    "max-affinity-merge-region-size": 256,
    "hot-region-schedule-limit": 4,
    "hot-region-cache-hits-threshold": 3,
    "store-limit": {},
    "tolerant-size-ratio": 0.0,
    "low-space-ratio": 0.8,
    "high-space-ratio": 0.7,
    "region-score-formula-version": "v2",
    "scheduler-max-waiting-operator": 5,
    "enable-remove-down-replica": "true",
    "enable-replace-offline-replica": "true",
    "enable-make-up-replica": "true",
    "enable-remove-extra-replica": "true",
    "enable-location-replacement": "true",
    "enable-debug-metrics": "false",
    "enable-joint-consensus": "true",
    "enable-tikv-split-region": "true",
    "enable-heartbeat-breakdown-metrics": "true",
    "enable-heartbeat-concurrent-runner": "true",
    "schedulers-v2": [
      {"type": "balance-region", "args": null, "disable": false, "args-payload": ""},
      {"type": "balance-leader", "args": null, "disable": false, "args-payload": ""},
      {"type": "hot-region", "args": null, "disable": false, "args-payload": ""},
      {"type": "evict-slow-store", "args": null, "disable": false, "args-payload": ""}
    ],
    "schedulers-payload": null,
    "store-limit-mode": "manual",
    "max-movable-hot-peer-size": 512,
    "hot-regions-write-interval": "10m0s",
    "hot-regions-reserved-days": 7,
    "enable-diagnostic": "true",
    "enable-witness": "false",
    "halt-scheduling": "false",
    "slow-store-evicting-affected-store-ratio-threshold": 0.3,
    "store-limit-version": "v1"
  },
  "replication": {
    "max-replicas": 3,
    "location-labels": "",
    "strictly-match-label": "false",
    "enable-placement-rules": "true",
    "enable-placement-rules-cache": "false",
    "isolation-level": ""
  },
  "pd-server": {
    "use-region-storage": "true",
    "max-gap-reset-ts": "24h0m0s",
    "key-type": "table",
    "runtime-services": "",
    "metric-storage": "",
    "dashboard-address": "auto",
    "flow-round-by-digit": 3,
    "min-resolved-ts-persistence-interval": "1s",
    "server-memory-limit": 0.0,
    "server-memory-limit-gc-trigger": 0.7,
    "enable-gogc-tuner": "false",
    "gc-tuner-threshold": 0.6,
    "block-safe-point-v1": "false"
  },
  "cluster-version": "0.0.0",
  "label-property": {},
  "replication-mode": {
    "replication-mode": "majority",
    "dr-auto-sync": {
      "label-key": "",
      "primary": "",
      "dr": "",
      "primary-replicas": 0,
      "dr-replicas": 0,
      "wait-store-timeout": "1m0s",
      "wait-recover-timeout": "0s",
      "pause-region-split": "false"
    }
  }
})json";

// Items that take a value with an end (?ttlSecond=).
inline constexpr const char* kTemporaryItems[] = {
    "schedule.max-snapshot-count",          "schedule.max-pending-peer-count",
    "schedule.max-merge-region-size",       "schedule.max-merge-region-keys",
    "schedule.leader-schedule-limit",       "schedule.region-schedule-limit",
    "schedule.replica-schedule-limit",      "schedule.hot-region-schedule-limit",
    "schedule.merge-schedule-limit",        "schedule.scheduler-max-waiting-operator",
    "schedule.enable-location-replacement", "schedule.patrol-region-worker-count",
    "schedule.enable-tikv-split-region",
};

}  // namespace tikv::pd
