#!/usr/bin/env python3
"""What a sweep of an Azure blob store must do: called by run.sh, which starts
Azurite at AZURITE.

    azurite.py WEIGHIN FOLDER
"""

import io
import os
import threading
import time
import zipfile

from azure.core.exceptions import ServiceRequestError
from azure.storage.blob import BlobServiceClient
from common import EVIL, HONEST, check, holds, safetensors, sweep, work

# The one that every installation of the emulator has.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
ACCESS = {
    "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
    "AZURE_STORAGE_ACCOUNT_KEY": KEY,
    "AZURE_STORAGE_ENDPOINT": os.environ["AZURITE"],
}

service = BlobServiceClient(os.environ["AZURITE"], credential={"account_name": ACCOUNT, "account_key": KEY})
for _ in range(60):
    try:
        models = service.create_container("models")
        break
    except ServiceRequestError:
        time.sleep(0.5)


def torch(count, each):
    """An archive as PyTorch writes it, with `count` members of `each` bytes."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("archive/data.pkl", HONEST)
        for n in range(count):
            archive.writestr(f"archive/data/{n}", bytes(each))
    return whole.getvalue()


model, large = torch(24, 4 << 20), safetensors(80 << 20)
for name, content in {"c/evil ü.pkl": EVIL, "c/honest.pkl": HONEST, "c/model.pt": model, "c/large.safetensors": large}.items():
    models.upload_blob(name, content)

state = work / "azure.db"
code, report, told = sweep("az://models/c", "--depth", "header", **ACCESS)
check(code == 1 and len(told) == 4, "a container is swept", told)
check(told["az://models/c/evil ü.pkl"]["verdict"] == "malicious", "what is malicious is found")
read = {name: line["fetched"]["bytes_read"] for name, line in told.items()}
check(read["az://models/c/large.safetensors"] < 200 << 10 and read["az://models/c/model.pt"] < 1 << 20,
      "at header depth little is read", read)

code, report, told = sweep("az://models/c", "--state", state, **ACCESS)
for name, content in {"model.pt": model, "large.safetensors": large}.items():
    line = told[f"az://models/c/{name}"]
    check(line["verdict"] == "clean" and line["fetched"]["bytes_read"] < len(content) * 1.05,
          f"at full depth {name} is read once", line)
code, report, told = sweep("az://models/c", "--state", state, **ACCESS)
check(not told and report["sweep"]["bytes_read"] == 0, "nothing changed, nothing is read", report["sweep"])

code, report, told = sweep("az://models/c", **{**ACCESS, "AZURE_STORAGE_ACCOUNT_KEY": "d3Jvbmc="})
check(code == 3 and not report["summary"]["clean"], "a wrong key is not clean", report["summary"])

# Conditional reads: another object in its place, while it is read.
models.upload_blob("race/model.safetensors", large)
done = threading.Event()


def replace():
    other = bytearray(large)
    while not done.is_set():
        other[-1] ^= 1
        models.upload_blob("race/model.safetensors", bytes(other), overwrite=True)


racing = threading.Thread(target=replace)
racing.start()
gaps = set()
for _ in range(20):
    code, report, told = sweep("az://models/race", "--retries", "0", **ACCESS)
    for line in told.values():
        gaps |= {gap["reason"] for gap in line["gaps"]}
        holds(line["verdict"] != "clean" or line["sha256"], "clean is what has a digest", line)
    if "changed" in gaps:
        break
done.set()
racing.join()
check("changed" in gaps, "an object that is replaced while it is read is told", gaps)
