#!/usr/bin/env python3
"""iperf3 over TCP with the command line of the benchmark's peers (workload.h): what the kernel alone can move.
Only `upload`, on one connection with one stream."""
import json
import resource
import socket
import subprocess
import sys


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def say(**words):
    print(json.dumps(words), flush=True)


def serve():
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    command = ["iperf3", "--server", "--one-off", "--bind", "127.0.0.1", "--port", str(port), "--forceflush"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while "listening" not in (line := server.stdout.readline()):
        if not line:
            sys.exit("bench: iperf3 did not start")
    say(event="listening", addr=f"127.0.0.1:{port}")
    sys.stdin.read()
    try:
        server.communicate(timeout=5)
    except subprocess.TimeoutExpired:
        server.kill()
        server.communicate()
    say(event="usage", cpu_s=cpu_seconds())


def upload(address, options):
    host, port = address.split(":")
    done = subprocess.run(["iperf3", "--client", host, "--port", port, "--bytes", options["bytes"], "--length", "256K", "--json"],
                          stdout=subprocess.PIPE, text=True)
    result = json.loads(done.stdout)
    if "error" in result:
        sys.exit("bench: " + result["error"])
    received = result["end"]["sum_received"]
    say(scenario="upload", seconds=received["seconds"], bytes=received["bytes"],
        gbit_s=received["bits_per_second"] / 1e9, cpu_s=cpu_seconds())


def main():
    words = [word for word in sys.argv[1:] if "=" not in word]
    options = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
    if words == ["serve"]:
        serve()
    elif len(words) == 3 and words[0] == "run" and words[2] == "upload":
        upload(words[1], options)
    else:
        sys.exit("usage: iperf3_peer.py serve | run ADDRESS upload bytes=N")


main()
