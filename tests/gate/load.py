"""Load and abuse of a running gate, and what is left of it afterwards.

    load.py model FILE                    writes 1 MiB of honest safetensors
    load.py load PORT PID FILE SECONDS    wrk with 100 connections; errors and memory
    load.py cut PORT PID SPOOL            uploads that are cut off at random
    load.py kill PORT PID SPOOL           an upload during which the gate is killed
"""

import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

# A scan may hold some memory more or less; a leak of one body a request would be gigabytes.
FLAT_KIB = 64 << 10


def model(file):
    data = bytes(1 << 20)
    header = json.dumps({"weight": {"dtype": "F32", "shape": [len(data) // 4], "data_offsets": [0, len(data)]}}).encode()
    Path(file).write_bytes(struct.pack("<Q", len(header)) + header + data)


def rss(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise SystemExit("the gate is gone")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def metric(port, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as response:
        for line in response.read().decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
    raise SystemExit(f"there is no metric {name}")


def settled(port, pid, wanted):
    """Waits until nothing is in progress and descriptors are back."""
    for _ in range(300):
        quiet = metric(port, "weighin_gate_places_used") == 0 and metric(port, "weighin_gate_spool_bytes") == 0
        if quiet and descriptors(pid) <= wanted:
            return
        time.sleep(0.1)
    raise SystemExit(f"leaked: {descriptors(pid)} descriptors, {wanted} before; "
                     f"{metric(port, 'weighin_gate_spool_bytes')} bytes in the spool")


def load(port, pid, file, seconds):
    script = Path(__file__).with_name("upload.lua")
    command = ["wrk", "-t2", "-c100", f"-d{seconds}s", "--timeout", "30s", "-s", script, f"http://127.0.0.1:{port}/"]
    before = descriptors(pid)
    running = subprocess.Popen(command, env={**os.environ, "FILE": file}, stdout=subprocess.PIPE, text=True)
    sizes = []
    while running.poll() is None:
        sizes.append(rss(pid))
        time.sleep(1)
    told = json.loads(running.communicate()[0].splitlines()[-1])
    warm = max(sizes[: max(len(sizes) // 4, 1)])
    told |= {"rss_warm_mib": warm >> 10, "rss_max_mib": max(sizes) >> 10}
    print("load:", json.dumps(told))
    errors = {name: told[name] for name in ("connect", "read", "write", "status", "timeout")}
    assert not any(errors.values()), errors
    assert max(sizes) < warm + FLAT_KIB, f"memory grows: {sizes}"
    settled(port, pid, before)


def cut(port, pid, spool):
    random.seed(8)
    body = bytes(1 << 20)
    before = descriptors(pid)
    for _ in range(500):
        sock = socket.create_connection(("127.0.0.1", port))
        head = f"POST /v1/scan HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        request = head + body
        try:
            sock.sendall(request[: random.choice([random.randrange(len(head)), random.randrange(len(request))])])
            if random.random() < 0.5:
                # A reset instead of an end.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        finally:
            sock.close()
    settled(port, pid, before)
    assert not os.listdir(spool), os.listdir(spool)
    print(f"cut: 500 uploads, {descriptors(pid)} descriptors ({before} before), spool empty")


def kill(port, pid, spool):
    sock = socket.create_connection(("127.0.0.1", port))
    sock.sendall(b"POST /v1/scan HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000\r\n\r\n" + bytes(1 << 20))
    while metric(port, "weighin_gate_spool_bytes") < 1 << 20:
        time.sleep(0.02)
    os.kill(int(pid), signal.SIGKILL)
    while os.path.exists(f"/proc/{pid}") and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
        time.sleep(0.02)
    assert not os.listdir(spool), os.listdir(spool)
    print("kill: nothing is left in the spool")


what, *rest = sys.argv[1:]
{"model": model, "load": load, "cut": cut, "kill": kill}[what](*rest)
