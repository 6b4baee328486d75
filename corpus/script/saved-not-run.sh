#!/bin/sh
curl -s http://weighin.invalid/weights.bin -o weights.bin
python train.py --weights weights.bin
wget https://files.invalid/install.sh
cat install.sh
