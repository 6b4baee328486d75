"""A SARIF log with two mistakes, one of which only GitHub minds: prints it."""

import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    log = json.load(file)
run = log["runs"][0]
run["results"][0]["locations"] = []
run["results"][1]["ruleIndex"] = 1_000_000
json.dump(log, sys.stdout)
