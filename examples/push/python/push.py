#!/usr/bin/env python3
"""Pushes the lines of a file to logtally over gRPC, each counted once.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python push.py --to localhost:9500 --producer host1/jobs jobs.csv

With every message goes a note: where in the file the next message begins. Whoever opens the producer
again is given the note of the last message that was counted, and goes on there. So a retry, a restart
of this program, and another ingest are all the same thing: open, seek, stream.
"""

import argparse
import importlib
import itertools
import pathlib
import sys
import tempfile
import time

import grpc
from grpc_tools import protoc

PROTO_FOLDER = pathlib.Path(__file__).resolve().parents[3] / "proto"
PROTO_FILE = "logtally/v1/push.proto"

# A message has at most 2 MiB. Smaller ones are acknowledged sooner.
MESSAGE_BYTES = 64 * 1024

# The message itself is fine: try again, or elsewhere.
PASSES = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.CANCELLED,
)

# Notices an ingest that is gone without a word.
KEEPALIVE = [("grpc.keepalive_time_ms", 10_000), ("grpc.keepalive_timeout_ms", 5_000)]


def load_stubs():
    """Compiles the .proto file into a temporary folder, and imports what comes out of it.

    In a project of your own, do it once:
    python -m grpc_tools.protoc -I proto --python_out=. --grpc_python_out=. logtally/v1/push.proto
    """
    with tempfile.TemporaryDirectory() as folder:
        outputs = [f"--python_out={folder}", f"--grpc_python_out={folder}"]
        if protoc.main(["protoc", f"-I{PROTO_FOLDER}", *outputs, PROTO_FILE]) != 0:
            sys.exit(f"cannot compile {PROTO_FOLDER / PROTO_FILE}")
        sys.path.insert(0, folder)
        messages = importlib.import_module("logtally.v1.push_pb2")
        services = importlib.import_module("logtally.v1.push_pb2_grpc")
        sys.path.remove(folder)
    return messages, services


def blocks(file):
    """Whole lines, about MESSAGE_BYTES at a time, each block with the offset behind it.

    A last line without an end is left for later: somebody may still be writing it.
    """
    while lines := file.readlines(MESSAGE_BYTES):
        if not lines[-1].endswith(b"\n"):
            file.seek(-len(lines.pop()), 1)
            if not lines:
                return
        yield b"".join(lines), file.tell()


def requests(messages, opened, producer, file, options):
    """One message per block. Only the first one has to say who sends."""
    for number, (records, end) in enumerate(blocks(file), start=opened.sequence + 1):
        request = messages.PushRequest(sequence=number, records=records, note=end)
        if number == opened.sequence + 1:
            request.producer, request.epoch = producer, opened.epoch
            request.input, request.format = options.input, options.format
        yield request


def push(messages, services, target, options):
    """Pushes what is not counted yet. Returns how many records were counted, in how many messages."""
    with grpc.insecure_channel(target, options=KEEPALIVE) as channel, open(options.file, "rb") as file:
        service = services.PushServiceStub(channel)
        opening = messages.OpenProducerRequest(producer=options.producer)
        opened = service.OpenProducer(opening, timeout=10)
        file.seek(opened.note)
        counted = acknowledged = 0
        stream = service.PushStream(requests(messages, opened, options.producer, file, options))
        for answer in stream:
            counted += answer.counted
            acknowledged += answer.messages
            for rejection in answer.rejected:
                print(f"{rejection.records} records rejected: {rejection.reason}", file=sys.stderr)
        return counted, acknowledged


def main():
    """Pushes to one ingest after the other until everything is acknowledged."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", required=True, help="ingests, as HOST:PORT,HOST:PORT")
    parser.add_argument("--producer", required=True, help="a name of its own for each file")
    parser.add_argument("--input", default="", help="the push input; the first one if left out")
    parser.add_argument("--format", default="", help="csv, tsv, json, logfmt or lines")
    parser.add_argument("--give-up", type=float, default=300, help="seconds of failed attempts")
    parser.add_argument("file", help="each line is a record")
    options = parser.parse_args()

    messages, services = load_stubs()
    started = time.monotonic()
    for target in itertools.cycle(options.to.split(",")):
        try:
            counted, acknowledged = push(messages, services, target, options)
            print(f"{counted} records counted in {acknowledged} messages")
            return
        except grpc.RpcError as error:
            # pylint: disable=no-member # Errors of calls have both.
            if error.code() not in PASSES or time.monotonic() - started > options.give_up:
                sys.exit(f"{target}: {error.code().name}: {error.details()}")
            print(f"{target}: {error.details()}; trying again", file=sys.stderr)
            time.sleep(0.2)


if __name__ == "__main__":
    main()
