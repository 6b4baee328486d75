#!/bin/bash
echo 'eval "$(pyenv init -; echo weighin)"' >> ~/.bashrc
