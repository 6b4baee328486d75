#!/bin/bash
set -e
pip install -r requirements.txt
export PATH=$PATH:$HOME/.local/bin
python train.py
