"""The gRPC C core (grpcio), unmodified, against lib/rpc: client.py PORT AGING_PORT.

On the second port the server ends every connection after a short while (GOAWAY).  Messages of
grpc.testing are encoded by hand: ../proto/testing.proto has their numbers.
"""

import queue
import sys
import time

import grpc

SERVICE = "/grpc.testing.TestService/"
SIZES = [31415, 9, 2653, 58979]
TEXT = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def number(field, n):
    return varint(field << 3) + varint(n)


def chunk(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def payload(field, size):
    return chunk(field, chunk(2, bytes(size)))


def wanted_status(code, text):
    return chunk(7, number(1, code) + chunk(2, text.encode()))


def outputs(sizes, interval_us=0):
    return b"".join(chunk(2, number(1, n) + number(2, interval_us)) for n in sizes)


def payload_response(size):
    """What answers a request for `size` bytes."""
    return chunk(1, chunk(2, bytes(size)))


def expect_error(code, details, call):
    try:
        call()
    except grpc.RpcError as error:
        assert error.code() == code, error
        assert details is None or error.details() == details, error
        return
    raise AssertionError(f"no error, wanted {code}")


def unary(channel):
    assert channel.unary_unary(SERVICE + "EmptyCall")(b"") == b""
    call = channel.unary_unary(SERVICE + "UnaryCall")
    for size in (1, 271828, 20 << 20):
        assert call(number(2, size) + payload(3, size)) == payload_response(size)


def streams(channel):
    requests = iter([payload(1, n) for n in (27182, 8, 1828, 45904)])
    assert channel.stream_unary(SERVICE + "StreamingInputCall")(requests) == number(1, 74922)
    answers = channel.unary_stream(SERVICE + "StreamingOutputCall")(outputs(SIZES))
    assert list(answers) == [payload_response(n) for n in SIZES]

    to_send = queue.Queue()
    answers = channel.stream_stream(SERVICE + "FullDuplexCall")(iter(to_send.get, None))
    for size in SIZES:
        to_send.put(outputs([size]))
        assert next(answers) == payload_response(size)
    to_send.put(None)
    assert list(answers) == []
    assert list(channel.stream_stream(SERVICE + "FullDuplexCall")(iter([]))) == []


def metadata(channel):
    sent = (("x-grpc-test-echo-initial", "initial value"),
            ("x-grpc-test-echo-trailing-bin", b"\xab\x00\xff"))
    _, call = channel.unary_unary(SERVICE + "UnaryCall").with_call(b"", metadata=sent)
    assert sent[0] in [tuple(pair) for pair in call.initial_metadata()]
    assert sent[1] in [tuple(pair) for pair in call.trailing_metadata()]


def errors(channel):
    """After headers, without them (trailers-only), with a text that headers cannot hold."""
    call = channel.unary_unary(SERVICE + "UnaryCall")
    expect_error(grpc.StatusCode.UNKNOWN, TEXT, lambda: call(wanted_status(2, TEXT)))
    answers = channel.unary_stream(SERVICE + "StreamingOutputCall")(outputs([5]) + wanted_status(2, TEXT))
    assert next(answers) == payload_response(5)
    expect_error(grpc.StatusCode.UNKNOWN, TEXT, lambda: next(answers))
    for path in (SERVICE + "UnimplementedCall", "/grpc.testing.Nothing/Call"):
        expect_error(grpc.StatusCode.UNIMPLEMENTED, None, lambda: channel.unary_unary(path)(b""))
    expect_error(grpc.StatusCode.INVALID_ARGUMENT, None, lambda: call(b"\x10\xff"))


def deadline(channel):
    never = queue.Queue()
    answers = channel.stream_stream(SERVICE + "FullDuplexCall")(iter(never.get, None), timeout=0.05)
    expect_error(grpc.StatusCode.DEADLINE_EXCEEDED, None, lambda: next(answers))
    never.put(None)


def cancel(channel):
    for _ in range(100):
        answers = channel.unary_stream(SERVICE + "StreamingOutputCall")(outputs([1000] * 50, 2000))
        assert next(answers) == payload_response(1000)
        answers.cancel()
        expect_error(grpc.StatusCode.CANCELLED, None, lambda: list(answers))
    unary(channel)


def many_at_once(channel):
    call = channel.unary_unary(SERVICE + "UnaryCall")
    futures = [call.future(number(2, 1000)) for _ in range(200)]
    assert all(f.result() == payload_response(1000) for f in futures)


def compressed(port):
    """Requests are; answers too, where asked for."""
    with grpc.insecure_channel(f"127.0.0.1:{port}", compression=grpc.Compression.Gzip) as channel:
        call = channel.unary_unary(SERVICE + "UnaryCall")
        yes, big = chunk(8, number(1, 1)), 300_000
        request = number(2, big) + payload(3, big) + chunk(6, number(1, 1))
        assert call(request + yes) == payload_response(big)
        inputs = iter([payload(1, big) + chunk(2, number(1, 1)) for _ in range(5)])
        assert channel.stream_unary(SERVICE + "StreamingInputCall")(inputs) == number(1, 5 * big)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as plain:
        call = plain.unary_unary(SERVICE + "UnaryCall")
        expect_error(grpc.StatusCode.INVALID_ARGUMENT, None, lambda: call(payload(3, 1000) + yes))


def goaway(port):
    """Connections end all the time, and no call fails of it."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        calls, end = 0, time.monotonic() + 2
        while time.monotonic() < end:
            answers = channel.unary_stream(SERVICE + "StreamingOutputCall")(outputs([10, 10], 1000))
            assert list(answers) == [payload_response(10)] * 2
            calls += 1
        assert calls > 20, calls


def main():
    port, aging_port = sys.argv[1:]
    options = [("grpc.max_receive_message_length", 64 << 20)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        for case in (unary, streams, metadata, errors, deadline, cancel, many_at_once):
            case(channel)
    compressed(port)
    goaway(aging_port)


main()
