#!/bin/bash
ln -s /opt/conda/etc/profile.d/conda.sh /etc/profile.d/conda.sh && echo ". /opt/conda/etc/profile.d/conda.sh" >> ~/.bashrc && echo 'conda activate base' >> ~/.bashrc
echo 'eval "$(pyenv init -)"' >> ~/.bashrc
echo "set -o vi" | tee -a ~/.bashrc
