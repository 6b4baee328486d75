#!/usr/bin/env python3
"""What a sweep of a real store must do: called by run.sh, which starts the store
and the database.

    check.py WEIGHIN FOLDER
"""

import json
import os
import subprocess
import threading
import time
from pathlib import Path

import boto3
import pyarrow.parquet as parquet
from botocore.config import Config
from common import EVIL, HONEST, binary, check, corpus, holds, safetensors, sweep, work

state = os.environ["STATE"]

store = boto3.client(
    "s3",
    endpoint_url=os.environ["AWS_ENDPOINT_URL"],
    config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
)

store.create_bucket(Bucket="models")
# What is judged by what lies around it has another verdict as an object of its own.
AROUND = {"hub", "openvino", "zarr", "orbax", "shards"}
names = [
    path for path in sorted(corpus.rglob("*")) if path.is_file() and path.relative_to(corpus).parts[0] not in AROUND
][::20]
for path in names:
    store.put_object(Bucket="models", Key=f"c/{path.relative_to(corpus)}", Body=path.read_bytes())
store.put_object(Bucket="models", Key="odd/ü <&> %41 + .pkl", Body=EVIL)
# An object in several parts, whose tag is no digest.
large = safetensors(24 << 20)
upload = store.create_multipart_upload(Bucket="models", Key="c/large.safetensors")["UploadId"]
parts = []
for number, at in enumerate(range(0, len(large), 8 << 20), 1):
    of = {"Bucket": "models", "Key": "c/large.safetensors", "UploadId": upload, "PartNumber": number}
    parts.append({"PartNumber": number, "ETag": store.upload_part(Body=large[at:at + (8 << 20)], **of)["ETag"]})
store.complete_multipart_upload(Bucket="models", Key="c/large.safetensors", UploadId=upload, MultipartUpload={"Parts": parts})

code, report, told = sweep("s3://models/c", "--state", state)
local = subprocess.run([binary, "scan", "--no-config", "--format", "json", *names], capture_output=True, text=True, check=False)
verdicts = {Path(file["path"]).relative_to(corpus).as_posix(): file["verdict"] for file in json.loads(local.stdout)["files"]}
check(len(told) == len(names) + 1, f"{len(told)} objects are examined", len(names))
for name, verdict in verdicts.items():
    holds(told[f"s3://models/c/{name}"]["verdict"] == verdict, name, verdict)
print("ok: verdicts are those of the files")
line = told["s3://models/c/large.safetensors"]
check(line["verdict"] == "clean" and line["fetched"]["bytes_read"] < len(large) * 1.01, "parts are one object", line)

code, report, told = sweep("s3://models/c", "--state", state)
check(not told and report["sweep"]["bytes_read"] == 0, "nothing changed, nothing is read", report["sweep"])
code, report, told = sweep("s3://models/odd", "--state", state)
check(code == 1 and len(told) == 1, "names may have any letters", told)

store.put_object(Bucket="models", Key="c/new.pkl", Body=EVIL)
store.delete_object(Bucket="models", Key="c/large.safetensors")
code, report, told = sweep("s3://models/c", "--state", state, "--output", f"parquet={work}/lake")
new = [one["place"] for one in report["sweep"]["new"]]
check(set(told) == {"s3://models/c/new.pkl"} == set(new), "what is new is told", told, new)
check(report["sweep"]["gone"] == 1, "what is gone is told", report["sweep"])

table = parquet.read_table(work / "lake/objects")
# What was examined and is gone since was examined all the same.
check(table.num_rows == len(names) + 2, "another reader of Parquet has all rows", table.num_rows)
check("date" in table.column_names and str(table.schema.field("scanned_at").type).startswith("timestamp"), "with types")
findings = parquet.read_table(work / "lake/findings").to_pylist()
check(any(row["uri"] == "s3://models/c/new.pkl" and row["rule_id"] == "PKL002" for row in findings), "and findings")

code, report, told = sweep("s3://models/c", "--again", AWS_SECRET_ACCESS_KEY="wrong")
check(code == 3 and not report["summary"]["clean"], "a wrong key is not clean", report["summary"])

# The same by the files that `aws configure` writes.
(work / ".aws").mkdir()
(work / ".aws/credentials").write_text(
    f"[swift]\naws_access_key_id = {os.environ['AWS_ACCESS_KEY_ID']}\n"
    f"aws_secret_access_key = {os.environ['AWS_SECRET_ACCESS_KEY']}\n",
    encoding="utf-8",
)
(work / ".aws/config").write_text(
    f"[profile swift]\nregion = us-east-1\nendpoint_url = {os.environ['AWS_ENDPOINT_URL']}\n", encoding="utf-8"
)
none = dict.fromkeys(name for name in os.environ if name.startswith("AWS_"))
code, report, told = sweep("s3://models/odd", **{**none, "AWS_PROFILE": "swift", "HOME": str(work)})
check(code == 1 and len(told) == 1, "a profile will do", report["summary"])

# Conditional reads: another object in its place, while it is read.
store.put_object(Bucket="models", Key="race/model.safetensors", Body=large)
other = bytearray(large)
other[-1] = 1
done = threading.Event()


def replace():
    while not done.is_set():
        store.put_object(Bucket="models", Key="race/model.safetensors", Body=bytes(other))


racing = threading.Thread(target=replace)
racing.start()
gaps = set()
for _ in range(10):
    code, report, told = sweep("s3://models/race", "--retries", "0")
    line = told["s3://models/race/model.safetensors"]
    gaps |= {gap["reason"] for gap in line["gaps"]}
    if line["verdict"] == "clean" and not line["sha256"]:
        holds(False, "clean without a digest", line)
    if "changed" in gaps:
        break
done.set()
racing.join()
check("changed" in gaps, "an object that is replaced while it is read is told", gaps)

# Two processes, one database; and one that is killed.
for n in range(120):
    store.put_object(Bucket="models", Key=f"many/{n}.pkl", Body=EVIL if n % 10 == 0 else HONEST)
shards = [subprocess.Popen([binary, "sweep", "--no-config", "--quiet", "s3://models/many", "--state", state, "--shard", f"{n}/2"])
          for n in range(2)]
time.sleep(0.3)
shards[1].kill()
for shard in shards:
    shard.wait()
code, report, told = sweep("s3://models/many", "--state", state, "--shard", "1/2")
code, report, told = sweep("s3://models/many", "--state", state)
check(not told and report["summary"]["files"] == 120 and report["summary"]["malicious"] == 12,
      "shards share everything, killed or not", report["summary"])
