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
 * health check), against a cluster: {@code Main PD_ADDRESS[,PD_ADDRESS...]}.
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

  /** Many calls under the client's own deadlines: one that is missed throws. */
  private static void deadlines(RawKVClient client) {
    for (int n = 0; n < 2000; n++) {
      ByteString key = bytes("java/deadline/" + n % 100);
      client.put(key, bytes("value " + n));
      check(client.get(key).equals(Optional.of(bytes("value " + n))), "read own write " + n);
    }
  }

  public static void main(String[] args) throws Exception {
    TiConfiguration conf = TiConfiguration.createRawDefault(args[0]);
    conf.setEnableAtomicForCAS(true);
    try (TiSession session = TiSession.create(conf);
        RawKVClient client = session.createRawClient()) {
      points(client);
      batchesAndScans(client);
      compareAndSet(client);
      deadlines(client);
    }
    System.out.println("client-java raw: 4 passed, 0 failed");
    System.exit(0);
  }
}
