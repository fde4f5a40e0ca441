package org.tikv.interop;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tikv.common.TiConfiguration;
import org.tikv.common.TiSession;
import org.tikv.common.exception.RawCASConflictException;
import org.tikv.kvproto.Kvrpcpb.KvPair;
import org.tikv.raw.RawKVClient;
import org.tikv.shade.com.google.protobuf.ByteString;

/**
 * client-java's raw client, unmodified and with its own deadlines (200 ms per call, 100 ms for a
 * health check), against a cluster: {@code Main PD_ADDRESS[,PD_ADDRESS...] [v1|v2|loaded]}.
 */
public final class Main {
  private static ByteString bytes(String s) {
    return ByteString.copyFromUtf8(s);
  }

  private static void check(boolean holds, String what) {
    if (!holds) {
      throw new AssertionError(what);
    }
  }

  private static void points(RawKVClient client) {
    check(!client.get(bytes("java/absent")).isPresent(), "an absent key is absent");
    client.put(bytes("java/a"), bytes("1"));
    check(client.get(bytes("java/a")).equals(Optional.of(bytes("1"))), "read what was put");
    client.delete(bytes("java/a"));
    check(!client.get(bytes("java/a")).isPresent(), "a deleted key is absent");
  }

  private static void batchesAndScans(RawKVClient client) {
    Map<ByteString, ByteString> pairs = new HashMap<>();
    List<ByteString> keys = new ArrayList<>();
    for (int n = 0; n < 300; n++) {
      ByteString key = bytes(String.format("java/%06d", n));
      keys.add(key);
      pairs.put(key, bytes("value " + n));
    }
    client.batchPut(pairs);
    check(client.batchGet(keys).size() == 300, "batchGet returns all");
    List<KvPair> scanned = client.scan(keys.get(100), keys.get(200));
    check(scanned.size() == 100, "scan returns 100, got " + scanned.size());
    client.batchDelete(keys.subList(0, 100));
    check(client.scan(keys.get(0), bytes("java/1")).size() == 200, "100 of 300 deleted");
    client.deleteRange(keys.get(0), bytes("java/1"));
    check(client.scan(keys.get(0), bytes("java/1")).isEmpty(), "range deleted");
  }

  private static void compareAndSet(RawKVClient client) {
    ByteString key = bytes("java/cas");
    client.delete(key);
    client.compareAndSet(key, Optional.empty(), bytes("1"));
    boolean refused = false;
    try {
      client.compareAndSet(key, Optional.of(bytes("2")), bytes("3"));
    } catch (RawCASConflictException e) {
      refused = true;
    }
    check(refused, "refuse a wrong value");
    client.compareAndSet(key, Optional.of(bytes("1")), bytes("2"));
    check(client.get(key).equals(Optional.of(bytes("2"))), "set the right value");
  }

  /**
   * Many calls under the client's own deadlines. It repeats a call that missed its 200 ms, so time
   * tells: `late` of 1000 may take longer, none may fail.
   */
  private static void deadlines(RawKVClient client, int late) {
    final int calls = 4000;
    List<Long> took = new ArrayList<>();
    for (int n = 0; n < calls / 2; n++) {
      ByteString key = bytes("java/deadline/" + n % 100);
      long begin = System.nanoTime();
      client.put(key, bytes("value " + n));
      took.add(System.nanoTime() - begin);
      begin = System.nanoTime();
      check(client.get(key).equals(Optional.of(bytes("value " + n))), "read own write " + n);
      took.add(System.nanoTime() - begin);
    }
    took.sort(null);
    long missed = took.stream().filter(nanos -> nanos >= 200_000_000L).count();
    System.out.printf(
        "%d calls: p50 %.1f ms, p99 %.1f ms, longest %.1f ms, %d missed 200 ms%n",
        calls, took.get(calls / 2) / 1e6, took.get(calls * 99 / 100) / 1e6,
        took.get(calls - 1) / 1e6, missed);
    check(missed * 1000 <= (long) late * calls, "deadlines of 200 ms were missed");
  }

  public static void main(String[] args) throws Exception {
    TiConfiguration conf = TiConfiguration.createRawDefault(args[0]);
    conf.setEnableAtomicForCAS(true);
    String mode = args.length > 1 ? args[1] : "v1";
    if (mode.equals("v2")) {
      conf.setApiVersion(TiConfiguration.ApiVersion.V2);
    }
    try (TiSession session = TiSession.create(conf);
        RawKVClient client = session.createRawClient()) {
      if (!mode.equals("loaded")) {
        points(client);
        batchesAndScans(client);
        compareAndSet(client);
      }
      deadlines(client, mode.equals("loaded") ? 1 : 0);
    }
    System.out.println("client-java raw, " + mode + ": passed");
    System.exit(0);
  }
}
