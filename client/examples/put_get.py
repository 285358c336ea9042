#!/usr/bin/env python3
"""Stores a file in a cluster, reads it back, compares and removes it.

Needs nothing but gRPC and modules generated from the .proto files (Debian: python3-grpcio,
python3-protobuf; build target dfs_python_example generates the modules):

    PYTHONPATH=build/dev/client/examples/gen /usr/bin/python3 client/examples/put_get.py \
        --endpoint 127.0.0.1:7710
"""
import argparse
import os
import sys

import grpc
from dfs.v1 import cluster_pb2, cluster_pb2_grpc, files_pb2, files_pb2_grpc, types_pb2

PIECE = 1 << 20
TIMEOUT_S = 30


def crc32c(data, crc=0, table=[]):
    """CRC32C (Castagnoli), which every message and file carries. Slow, but it is all in view."""
    if not table:
        for byte in range(256):
            for _ in range(8):
                byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
            table.append(byte)
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def put_messages(name, data, request_id):
    header = files_pb2.PutHeader(name=name, request_id=request_id, size=len(data))
    finish = files_pb2.PutFinish(size=len(data), crc32c=crc32c(data))
    for at in range(0, max(len(data), 1), PIECE):
        piece = data[at:at + PIECE]
        yield files_pb2.PutRequest(header=header if at == 0 else None, offset=at,
                                   crc32c=crc32c(piece), data=piece,
                                   finish=finish if at + PIECE >= len(data) else None)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--endpoint", default="127.0.0.1:7710")
    parser.add_argument("--size", type=int, default=(1 << 20) + 4321)
    arguments = parser.parse_args()
    data, name = os.urandom(arguments.size), "example-" + os.urandom(4).hex()

    channel = grpc.insecure_channel(arguments.endpoint)
    hello = cluster_pb2_grpc.ClusterStub(channel).Hello(cluster_pb2.HelloRequest(), timeout=TIMEOUT_S)
    files = files_pb2_grpc.FilesStub(channel)

    # A change is repeated with the same id until it is answered, and happens once.
    session = os.urandom(16)
    change = lambda number: types_pb2.RequestId(session=session, sequence=number,
                                                birth=hello.applied_index, acked_below=number)
    put = files.Put(put_messages(name, data, change(1)), timeout=TIMEOUT_S)
    print(f"put {name}: {put.info.size} bytes, version {put.info.version}, {put.replicas} replicas")

    received = bytearray()
    for message in files.Get(files_pb2.GetRequest(name=name), timeout=TIMEOUT_S):
        if message.offset != len(received) or message.crc32c != crc32c(message.data):
            sys.exit("received damaged bytes")
        received += message.data
    if received != data:
        sys.exit("received other bytes than were stored")
    print(f"get {name}: {len(received)} bytes, equal")

    removed = files.Remove(files_pb2.RemoveRequest(name=name, request_id=change(2)),
                           timeout=TIMEOUT_S)
    print(f"removed {name}: version {removed.version}")


if __name__ == "__main__":
    main()
