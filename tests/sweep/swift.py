#!/usr/bin/env python3
"""Runs OpenStack Swift with its S3 API on loopback, until standard input ends.

    swift.py FOLDER PORT

Four servers from the package `swift`, one device, one replica. Endpoint
http://127.0.0.1:PORT, path style, access key test:tester, secret key testing.
Prints `ready` when it answers.
"""

import configparser
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

folder, port = Path(sys.argv[1]), int(sys.argv[2])
programs = Path(sys.executable).parent
etc = folder / "etc"
storage = {"account": port + 1, "container": port + 2, "object": port + 3}

# Swift looks for swift.conf below /etc only; this puts another place there.
LAUNCH = """
import sys
from runpy import run_path
name, etc, programs = sys.argv[1:4]
import swift.common.utils
import swift.common.utils.config
for module in (swift.common.utils, swift.common.utils.config):
    module.SWIFT_CONF_FILE = etc + "/swift.conf"
sys.argv = [f"swift-{name}-server", f"{etc}/{name}-server.conf"]
run_path(f"{programs}/swift-{name}-server", run_name="__main__")
"""


def write(name, sections):
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_dict(sections)
    with open(etc / name, "w", encoding="utf-8") as file:
        parser.write(file)


def servers():
    for name, at in storage.items():
        yield name, {
            "DEFAULT": {"devices": folder / "srv", "mount_check": "false", "bind_ip": "127.0.0.1", "bind_port": at},
            "pipeline:main": {"pipeline": f"{name}-server"},
            f"app:{name}-server": {"use": f"egg:swift#{name}", "recon_cache_path": folder / "recon"},
        }
    filters = {name: {"use": f"egg:swift#{name}"} for name in ("catch_errors", "bulk", "slo", "dlo")}
    filters["cache"] = {"use": "egg:swift#memcache"}
    filters["s3api"] = {"use": "egg:swift#s3api", "location": "us-east-1"}
    filters["tempauth"] = {"use": "egg:swift#tempauth", "user_test_tester": "testing .admin"}
    yield "proxy", {
        "DEFAULT": {"bind_ip": "127.0.0.1", "bind_port": port},
        "pipeline:main": {"pipeline": "catch_errors cache bulk s3api tempauth slo dlo proxy-server"},
        "app:proxy-server": {"use": "egg:swift#proxy", "account_autocreate": "true"},
        **{f"filter:{name}": values for name, values in filters.items()},
    }


def main():
    for place in (etc, folder / "srv" / "d1", folder / "recon"):
        place.mkdir(parents=True)
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    write("swift.conf", {"swift-hash": {"swift_hash_path_prefix": "a", "swift_hash_path_suffix": "b"},
                         "storage-policy:0": {"name": "p0", "default": "yes"}})
    for name, at in storage.items():
        for command in ("create 4 1 0", f"add r1z1-127.0.0.1:{at}/d1 1", "rebalance"):
            builder = [programs / "swift-ring-builder", f"{name}.builder", *command.split()]
            subprocess.run(builder, cwd=etc, check=True, stdout=subprocess.DEVNULL)
    running = []
    # So that being told to end ends the servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        for name, sections in servers():
            sections["DEFAULT"] |= {"swift_dir": etc, "workers": "0", "user": user}
            write(f"{name}-server.conf", sections)
            with open(folder / f"{name}.log", "wb") as log:
                command = [sys.executable, "-c", LAUNCH, name, etc, programs]
                running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        for at in (*storage.values(), port):
            wait(at, running)
        print("ready", flush=True)
        sys.stdin.read()
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


def wait(at, running):
    for _ in range(240):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", at)) == 0:
                return
        if any(process.poll() is not None for process in running):
            break
        time.sleep(0.25)
    sys.exit(f"nothing answers on port {at}; see {folder}/*.log")


main()
