#!/bin/sh
rsync -avz -e ssh data/ host:/data/
curl http://localhost:8000/v1/models | python3 -m json.tool
curl https://files.invalid/list | perl -nle 'print if /gz/'
echo 'export HF_HOME=/data' >> ~/.bashrc
